"Rendered datasets: the same bytes in any process, order and number of workers; killed and gone on with; nothing overwritten."
import hashlib, json, os, signal, subprocess, sys, time

import numpy as np
import pytest

from reid_nb.data.datasets import read_folder
from reid_nb.data.records import check_records, load_records
from reid_nb.engine import specs
from reid_nb.engine.specs import SPECS, VirtualDataset, count_spec, find_spec, render_dataset, scaled

needs_posix = pytest.mark.skipif(os.name != 'posix', reason='signals and limits of POSIX')
SIZE = (64, 32)


def plan(**changes): # few people, one place, passers-by: renders in a second or two
    s = find_spec('market1501')
    groups = (('train', 4, 0, 16, 16), ('test', 2, 4, 12, 12))
    return s._replace(**dict(name='test', groups=groups, scenes=s.scenes[:1], cameras=(2,), seen=(2, 2), others=1.) | changes)


def digest(folder):
    files = sorted(p for p in folder.rglob('*') if p.is_file() and p.name != 'dataset.json')
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def python(code, **how): return subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, **how)


@pytest.fixture(scope='module')
def rendered(tmp_path_factory):
    return render_dataset(plan(), tmp_path_factory.mktemp('whole')/'d', size=SIZE, workers=1, masks=True)


def test_records_and_files(rendered):
    r = read_folder(rendered)
    d = VirtualDataset(plan(), size=SIZE)
    assert len(r) == len(d) == 28 and check_records(r).empty
    assert r.drop(columns=['image', 'viewpoint', 'visible', 'bbox', 'keypoints', 'mask', 'parts']).equals(
        d.records.drop(columns=['image', 'viewpoint']))
    assert np.allclose((r.viewpoint - d.records.viewpoint + 180) % 360, 180, atol=.1)
    assert r.keypoints.map(len).eq(54).all() and r.bbox.map(len).eq(4).all() and r.visible.between(0, 1).all()
    for kind in ('mask', 'parts'): assert all((rendered/p).is_file() for p in r[kind])
    assert not (rendered/'.partial').exists()


def test_alone_in_any_order_or_process(rendered):
    d, r = VirtualDataset(plan(), size=SIZE), load_records(rendered)
    for i in (27, 0, 13, 27): assert d[i].jpeg == open(r.image[i], 'rb').read()
    code = ('import hashlib, sys; sys.path.insert(0, %r); from test_engine import *\n'
            'd = VirtualDataset(plan(), size=SIZE); print(*(hashlib.sha256(d[i].jpeg).hexdigest() for i in (5, 4)))')
    out = python(code % os.path.dirname(__file__))
    assert out.stdout.split() == [hashlib.sha256(open(r.image[i], 'rb').read()).hexdigest() for i in (5, 4)], out.stderr


def test_two_workers_write_the_same(rendered, tmp_path, monkeypatch):
    monkeypatch.setattr(specs, '_CHUNK', 6)          # several pieces of work
    render_dataset(plan(), tmp_path/'d', size=SIZE, workers=2, masks=True)
    assert digest(tmp_path/'d') == digest(rendered)


@needs_posix
def test_killed_and_gone_on_with(rendered, tmp_path, monkeypatch):
    code = '''
import sys, time; sys.path.insert(0, %r); from test_engine import *
import reid_nb.engine.specs as S
S._CHUNK, render = 6, S.render
def slowly(*a): time.sleep(.05); return render(*a)
S.render = slowly
render_dataset(plan(), %r, size=SIZE, workers=1, masks=True)''' % (os.path.dirname(__file__), str(tmp_path/'d'))
    p = subprocess.Popen([sys.executable, '-c', code], stderr=subprocess.PIPE, text=True)
    for _ in range(1200):
        if list(tmp_path.glob('d/.partial/*.parquet')) or p.poll() is not None: break
        time.sleep(.05)
    p.send_signal(signal.SIGKILL); p.wait()
    assert p.returncode == -signal.SIGKILL, p.stderr.read()
    done = [f for f in (tmp_path/'d').rglob('*.jpg')]
    assert done and not (tmp_path/'d'/'records.parquet').exists()
    whole = digest(rendered)
    assert all(hashlib.sha256(f.read_bytes()).hexdigest() == whole[str(f.relative_to(tmp_path/'d'))] for f in done) # none half-written
    before = {int(f.stem) for f in (tmp_path/'d'/'.partial').glob('*.parquet')}
    monkeypatch.setattr(specs, '_CHUNK', 6)
    rendered_again, render_piece = set(), specs._render_piece
    monkeypatch.setattr(specs, '_render_piece', lambda *a: rendered_again.add(a[3]) or render_piece(*a))
    render_dataset(plan(), tmp_path/'d', size=SIZE, workers=1, masks=True)
    assert digest(tmp_path/'d') == whole and not rendered_again & before # what was finished was kept


def test_folders_of_others_stay_as_they_are(rendered, tmp_path):
    with pytest.raises(ValueError, match='holds 28 images of test, not what is asked for'):
        render_dataset(plan(seed=99), rendered, size=SIZE, workers=1)
    with pytest.raises(ValueError, match='another spec, scale, size or version'):
        render_dataset(plan(), rendered, size=(32, 16), workers=1, masks=True)
    (tmp_path/'letters').mkdir(); (tmp_path/'letters'/'a.txt').write_text('dear')
    (tmp_path/'file').write_text('')
    for there in ('letters', 'file'):
        with pytest.raises(ValueError, match='was not written by this command'):
            render_dataset(plan(), tmp_path/there, size=SIZE, workers=1)
    assert (tmp_path/'letters'/'a.txt').read_text() == 'dear' and len(list((tmp_path/'letters').iterdir())) == 1


def test_no_space(tmp_path, monkeypatch):
    monkeypatch.setattr('shutil.disk_usage', lambda p: type('usage', (), dict(free=1000))())
    with pytest.raises(OSError, match='Rendering 28 images of test needs'): render_dataset(plan(), tmp_path/'d', size=SIZE, workers=1)


@needs_posix
def test_disk_full_in_the_middle(rendered, tmp_path):
    "A limit on file size stands in for a full disk."
    code = '''
import resource, sys; sys.path.insert(0, %r); from test_engine import *
VirtualDataset(plan(), size=SIZE)[0]
resource.setrlimit(resource.RLIMIT_FSIZE, (700, 700))
render_dataset(plan(), %r, size=SIZE, workers=1, masks=True)''' % (os.path.dirname(__file__), str(tmp_path/'d'))
    out = python(code)
    assert out.returncode == 1 and 'OSError' in out.stderr
    assert not (tmp_path/'d'/'records.parquet').exists()
    whole = digest(rendered)
    there = {k: v for k, v in digest(tmp_path/'d').items() if not k.startswith('.partial')}
    assert all(whole[k] == v for k, v in there.items())                                  # nothing half-written


def test_bad_questions():
    d = VirtualDataset('finegpr')
    for i in (-1, 2_028_600, 1.5, 'a', None):
        with pytest.raises(IndexError, match='has images 0 to 2,028,599'): d[i]
    with pytest.raises(ValueError, match='has no people'): VirtualDataset(plan(groups=()))
    with pytest.raises(ValueError, match="did you mean 'sunny'"): VirtualDataset(plan(weathers=(('suny', 1),)))
    with pytest.raises(ValueError, match='at least one camera'): VirtualDataset(plan(cameras=(0,)))
    with pytest.raises(ValueError, match='above 0'): VirtualDataset('street', scale=0)
    with pytest.raises(ValueError, match='At least one worker'): render_dataset(plan(), 'nowhere', workers=0)
    assert not os.path.exists('nowhere')


@pytest.mark.parametrize('name', SPECS)
def test_every_spec(name):
    "Sound labels, and a person in front of the camera in every corner of the plan."
    s = scaled(find_spec(name), min(1, 40 / find_spec(name).groups[0][1]))
    d = VirtualDataset(s, size=SIZE)
    n = min(len(d), 20_000)
    r = d.rows(range(n))
    assert len(d) == count_spec(s).images.sum() and r.image.is_unique and (r.domain == name).all()
    assert not (check_records(r if n < len(d) else d.records, files=False).level == 'error').any()
    shots = d.shots(np.unique(np.linspace(0, len(d) - 1, 5).astype(int)))
    assert json.loads(json.dumps(shots))[0][0] == shots[0].seed and len({x.seed for x in shots}) == len(shots)
    p = d[len(d) // 2]
    assert p.image.shape == (*SIZE, 3) and (p.full_mask > 0).mean() > .05


def test_training_and_standins_share_nobody():
    people = []
    for s in map(find_spec, SPECS):
        who = specs._who(s, np.arange(len(VirtualDataset(s)))[::7])
        people.append(set(specs._person(s, who['kind'], who['person']).tolist()))
    assert sum(map(len, people)) == len(set().union(*people))


def test_command_line(tmp_path):
    cli = [sys.executable, '-c', 'from reid_nb.cli import main; main()', 'render']
    run = lambda *a: subprocess.run(cli + list(a), capture_output=True, text=True)
    if run('--help').returncode: pytest.skip('reid-nb has no render command yet')
    assert all(o in run('--help').stdout for o in ('--scale', '--size', '--workers', '--out', '--rows'))
    out = run('mini_gspr', '--scale', '.004', '--size', '64x36', '--out', str(tmp_path/'d'), '--rows', '0:3', '--workers', '1')
    assert out.returncode == 0 and len(load_records(tmp_path/'d')) == 3, out.stderr
    for wrong, why in ((['mini_gspx'], "did you mean 'mini_gspr-like'?"), (['mini_gspr', '--size', '64'], 'HEIGHTxWIDTH')):
        out = run(*wrong, '--out', str(tmp_path/'e'))
        assert out.returncode == 1 and why in out.stderr and len(out.stderr.strip().splitlines()) == 1
