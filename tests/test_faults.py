"Killed, out of disk, two at once: nothing lost, nothing half-written."
import os, signal, subprocess, sys, time, zipfile

import pytest

from reid_nb.core import write_whole
from reid_nb.data.archives import unpack
from reid_nb.data.drawn import draw_people
from reid_nb.data.images import cache_images
from reid_nb.data.records import load_records, save_records

needs_posix = pytest.mark.skipif(os.name != 'posix', reason='signals and limits of POSIX')


def start(code, **env): return subprocess.Popen([sys.executable, '-c', code], env={**os.environ, **env}, stderr=subprocess.PIPE, text=True)


@needs_posix
def test_killed_while_decoding(tmp_path):
    drawn = draw_people(tmp_path/'d', ids=8, cameras=4, per_camera=4)
    cache = tmp_path/'cache'
    slow = '''
import reid_nb.data.images as I, time
from reid_nb.data.records import load_records
read = I.read_image
def slowly(*a): time.sleep(.05); return read(*a)
I.read_image = slowly
I.cache_images(load_records(%r), 64, 32, workers=1)''' % str(tmp_path/'d')
    p = start(slow, REID_CACHE=str(cache))
    for _ in range(1200):
        if list(cache.glob('images/.*.partial/images.u8')): break
        time.sleep(.05)
    else: pytest.fail('it never began to write')
    p.send_signal(signal.SIGKILL); p.wait()
    assert [f.name.startswith('.') for f in (cache/'images').iterdir()] == [True]      # remains, under a passing name
    with pytest.MonkeyPatch.context() as m:
        m.setenv('REID_CACHE', str(cache))
        images, _ = cache_images(drawn, 64, 32)
    assert len(images) == len(drawn) and not list((cache/'images').glob('.*'))         # swept, and made whole


@needs_posix
def test_disk_full_while_decoding(tmp_path, monkeypatch):
    "A limit on file size stands in for a full disk: the write fails half-way."
    drawn = draw_people(tmp_path/'d', ids=8, cameras=4, per_camera=4)
    code = '''
import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
from reid_nb.data.images import cache_images
from reid_nb.data.records import load_records
cache_images(load_records(%r), 64, 32)''' % str(tmp_path/'d')
    p = start(code, REID_CACHE=str(tmp_path/'cache'))
    _, err = p.communicate()
    assert p.returncode == 1 and 'OSError' in err and list((tmp_path/'cache'/'images').iterdir()) == []
    monkeypatch.setenv('REID_CACHE', str(tmp_path/'cache'))
    assert len(cache_images(drawn, 64, 32)[0]) == len(drawn)


@needs_posix
def test_killed_while_unpacking(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path/'a.zip', 'w') as z:
        for i in range(3000): z.writestr(f'a/{i}', b'x' * 1000)
    cache = tmp_path/'cache'
    p = start(f'from reid_nb.data.archives import unpack; unpack({str(tmp_path/"a.zip")!r})', REID_CACHE=str(cache))
    for _ in range(400):
        if len(list(cache.glob('datasets/.*.partial/a/*'))) > 10: break
        if p.poll() is not None: pytest.skip('it was done before it could be killed')
        time.sleep(.005)
    p.send_signal(signal.SIGKILL); p.wait()
    monkeypatch.setenv('REID_CACHE', str(cache))
    assert len(list((unpack(tmp_path/'a.zip')/'a').iterdir())) == 3000
    assert not list((cache/'datasets').glob('.*'))


def test_two_at_once(tmp_path):
    draw_people(tmp_path/'d', ids=8, cameras=4, per_camera=2)
    code = f'''
from reid_nb.data.images import cache_images
from reid_nb.data.records import load_records
import hashlib, sys
print(hashlib.sha256(cache_images(load_records({str(tmp_path/'d')!r}), 64, 32)[0].tobytes()).hexdigest(), file=sys.stderr)'''
    both = [start(code, REID_CACHE=str(tmp_path/'cache')) for _ in range(3)]
    said = [p.communicate()[1].strip().splitlines()[-1] for p in both]
    assert [p.returncode for p in both] == [0, 0, 0] and len(set(said)) == 1
    assert len(list((tmp_path/'cache'/'images').iterdir())) == 1


def test_a_folder_replaced_by_many_is_always_whole(tmp_path):
    "Writers that finish at the same moment: none fails, and one of them stands, whole."
    code = f'''
import sys, time
from pathlib import Path
from reid_nb.core import write_whole
for n in range(30):
    with write_whole({str(tmp_path/'run')!r}, keep=sys.argv[1] == 'keep') as d: d.mkdir(); (d/'a').write_text(sys.argv[2]); (d/'b').write_text(sys.argv[2])'''
    for keep in ('keep', 'replace'):
        many = [subprocess.Popen([sys.executable, '-c', code, keep, str(n)], stderr=subprocess.PIPE, text=True) for n in range(4)]
        assert [p.communicate()[1] for p in many] == [''] * 4
        assert (tmp_path/'run'/'a').read_text() == (tmp_path/'run'/'b').read_text()
        assert [f.name for f in tmp_path.iterdir()] == ['run']


@needs_posix
def test_killed_between_setting_aside_and_replacing(tmp_path):
    "The old folder comes back."
    code = f'''
import os, signal
import reid_nb.core as core
rename, calls = os.rename, []
def dying(a, b):
    calls.append(a)
    if len(calls) == 3: os.kill(os.getpid(), signal.SIGKILL) # 1: refused, one is there; 2: set aside; 3: never
    rename(a, b)
os.rename = dying
with core.write_whole({str(tmp_path/'run')!r}) as d: d.mkdir(); (d/'new').write_text('')'''
    (tmp_path/'run').mkdir(); (tmp_path/'run'/'old').write_text('')
    subprocess.run([sys.executable, '-c', code])
    assert not (tmp_path/'run').exists()
    with pytest.raises(KeyError):
        with write_whole(tmp_path/'run'): raise KeyError
    assert [f.name for f in (tmp_path/'run').iterdir()] == ['old'] and [f.name for f in tmp_path.iterdir()] == ['run']


def test_records_are_written_whole(tmp_path):
    drawn = draw_people(tmp_path, ids=2)
    before = (tmp_path/'records.parquet').read_bytes()
    with pytest.raises(Exception): save_records(drawn.assign(odd=[object()] * len(drawn)), tmp_path)     # parquet cannot hold it
    assert (tmp_path/'records.parquet').read_bytes() == before and not list(tmp_path.glob('.*partial'))
    assert len(load_records(tmp_path)) == len(drawn)
