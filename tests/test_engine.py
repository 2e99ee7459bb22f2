"Rendered datasets: the same bytes in any process, order and number of workers; killed and gone on with; nothing overwritten."
import hashlib, json, os, shutil, signal, subprocess, sys, time

import numpy as np
import pytest
from PIL import Image

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
    files = sorted(p for p in folder.rglob('*') if p.is_file() and p.name not in ('dataset.json', '.lock'))
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def python(code, **how): return subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, **how)


@pytest.fixture(scope='module')
def rendered(tmp_path_factory):
    return render_dataset(plan(), tmp_path_factory.mktemp('whole')/'d', size=SIZE, workers=1, masks=True)


def test_records_and_files(rendered):
    r = read_folder(rendered)
    d = VirtualDataset(plan(), size=SIZE)
    assert len(r) == len(d) == 28 and check_records(r).empty
    truth = ['visible', 'bbox', 'keypoints', 'mask', 'full_mask', 'parts']
    assert r.drop(columns=['image', *truth]).equals(d.records.drop(columns='image'))     # planned viewpoints too
    assert r.keypoints.map(len).eq(54).all() and r.bbox.map(len).eq(4).all() and r.visible.between(0, 1).all()
    for kind in truth[3:]: assert all((rendered/p).is_file() for p in r[kind])
    seen, whole = (np.stack([np.asarray(Image.open(rendered/p)) for p in r[kind]]) for kind in truth[3:5])
    assert (seen <= whole).all() and (seen < whole).any()
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


def test_killed_before_the_note(rendered, tmp_path):
    (tmp_path/'d'/'.partial').mkdir(parents=True)
    (tmp_path/'d'/'.lock').write_text(''); (tmp_path/'d'/'.dataset.json.new-1-ab@host.partial').write_text('{')
    render_dataset(plan(), tmp_path/'d', size=SIZE, workers=1, masks=True)
    there = {k: v for k, v in digest(tmp_path/'d').items() if not k.startswith('.dataset')}
    assert there == digest(rendered)


def test_deleted_images_come_back(rendered, tmp_path):
    whole, folder = digest(rendered), shutil.copytree(rendered, tmp_path/'d')
    images = sorted(folder.rglob('*.jpg'))
    images[3].unlink(); images[8].write_bytes(b''); next(folder.glob('full_masks/**/*.png')).unlink()
    assert digest(folder) != whole
    render_dataset(plan(), folder, size=SIZE, workers=1, masks=True)
    assert digest(folder) == whole


def test_a_hidden_person_has_no_box(tmp_path, monkeypatch):
    render = specs.render_seen
    monkeypatch.setattr(specs, 'render_seen', lambda shot: render(shot)._replace(bbox=None))
    r = load_records(render_dataset(plan(), tmp_path/'d', size=SIZE, workers=1, rows=range(3)))
    assert r.bbox.isna().all()


@needs_posix
def test_two_calls_at_once(rendered, tmp_path):
    code = '''
import sys; sys.path.insert(0, %r); from test_engine import *
render_dataset(plan(), %r, size=SIZE, workers=1, masks=True)''' % (os.path.dirname(__file__), str(tmp_path/'d'))
    both = [subprocess.Popen([sys.executable, '-c', code], stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [p.communicate(timeout=300)[1] for p in both]
    assert [p.returncode for p in both] == [0, 0], said
    assert digest(tmp_path/'d') == digest(rendered)


def test_second_call_waits(rendered, tmp_path, capsys):
    folder = shutil.copytree(rendered, tmp_path/'d')
    (folder/'records.parquet').unlink()
    code = f'import filelock, time; lock = filelock.FileLock({str(folder/".lock")!r}); lock.acquire(); print("held", flush=True); time.sleep(2)'
    holder = subprocess.Popen([sys.executable, '-c', code], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == 'held\n'
    render_dataset(plan(), folder, size=SIZE, workers=1, masks=True)
    holder.communicate()
    assert 'Another process is rendering' in capsys.readouterr().err and digest(folder) == digest(rendered)


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
    for scale in (float('inf'), float('nan')):
        with pytest.raises(ValueError, match='finite'): VirtualDataset('street', scale=scale)
    with pytest.raises(ValueError, match='whole numbers'): VirtualDataset('street', size=(64.5, 32))
    with pytest.raises(ValueError, match='numbers for 500,000'): VirtualDataset('street', scale=1000)
    with pytest.raises(ValueError, match='At least one worker'): render_dataset(plan(), 'nowhere', workers=0)
    assert not os.path.exists('nowhere')


@pytest.mark.parametrize('place', [dict(viewpoint=2), dict(camera=2), dict(camera=2, viewpoint=2), dict(location=1, angle=2)])
@pytest.mark.parametrize('more', [{}, dict(weather=2, illumination=2), dict(outfit=3), dict(repeat=2)])
def test_every_grid(place, more):
    "What check_spec lets pass can be rendered, and no two images have one name."
    grid = tuple((place | more).items())
    n = 4 * int(np.prod([k for _, k in grid]))
    d = VirtualDataset(plan(grid=grid, groups=(('train', 4, 0, n, n),)), size=SIZE)
    assert len(d) == n == d.records.image.nunique() == len(d.shots(range(n)))
    assert d[n - 1].image.shape == (*SIZE, 3)


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
        who = specs.plan_people(s, np.arange(len(VirtualDataset(s)))[::7])
        people.append(set(specs._person(s, who['kind'], who['person']).tolist()))
    assert sum(map(len, people)) == len(set().union(*people))


def test_command_line(tmp_path):
    cli = [sys.executable, '-c', 'from reid_nb.cli import main; main()', 'render']
    run = lambda *a: subprocess.run(cli + list(a), capture_output=True, text=True)
    assert all(o in run('--help').stdout for o in ('--scale', '--size', '--workers', '--out', '--rows'))
    out = run('mini_gspr', '--scale', '.004', '--size', '64x36', '--out', str(tmp_path/'d'), '--rows', '0:3', '--workers', '1')
    assert out.returncode == 0 and len(load_records(tmp_path/'d')) == 3, out.stderr
    for wrong, why in ((['mini_gspx'], "did you mean 'mini_gspr-like'?"), (['mini_gspr', '--size', '64'], 'HEIGHTxWIDTH')):
        out = run(*wrong, '--out', str(tmp_path/'e'))
        assert out.returncode == 1 and why in out.stderr and len(out.stderr.strip().splitlines()) == 1
