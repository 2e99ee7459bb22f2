"Style transfer: killed at any moment, a training and a translation go on as if they had not been."
import os, signal, subprocess, sys, textwrap, time

import numpy as np
import pytest

from conftest import ROOT
from reid_nb.data.drawn import draw_people
from reid_nb.data.records import load_records
from reid_nb.style import SMALL, load_generator, style_configuration, train_translation, translate

TINY = style_configuration('spgan', **SMALL | dict(filters=4, blocks=1, patch_filters=4, steps=60, batch=2, pool=5))
FILES = ('checkpoint.safetensors', 'generator.safetensors', 'history.csv')

SCRIPT = textwrap.dedent("""
    import sys, warnings; warnings.simplefilter('ignore')
    import torch; torch.set_num_threads(1)
    from test_style import *
    train(sys.argv[1], sys.argv[2])
""")


def people(folder): return draw_people(folder, ids=6, cameras=2, per_camera=2, height=64, width=32)

def train(folder, out):
    records = load_records(folder)
    return train_translation(records, records, TINY, out, device='cpu', save_every=3)

def start(*args):
    path = os.pathsep.join([str(ROOT), str(ROOT/'tests')])
    env = os.environ | dict(PYTHONPATH=path, OMP_NUM_THREADS='1')
    return subprocess.Popen([sys.executable, '-c', SCRIPT, *map(str, args)], env=env, stderr=subprocess.PIPE)

def until(there, process, seconds=240):
    end = time.monotonic() + seconds
    while not there():
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < end
        time.sleep(.01)


def test_killed_training_goes_on_to_the_same_bytes(tmp_path):
    people(tmp_path/'people')
    for wait in (0., .3):
        p = start(tmp_path/'people', tmp_path/'killed')
        seen = (tmp_path/'killed'/FILES[0]).stat().st_mtime_ns if (tmp_path/'killed'/FILES[0]).exists() else 0
        until(lambda: (tmp_path/'killed'/FILES[0]).exists() and (tmp_path/'killed'/FILES[0]).stat().st_mtime_ns > seen, p)
        time.sleep(wait)
        p.send_signal(signal.SIGKILL); p.wait(); p.stderr.close()
        left = [f.name for f in (tmp_path/'killed').iterdir() if f.name in FILES]
        assert FILES[0] in left
    for out in ('killed', 'whole'):
        p = start(tmp_path/'people', tmp_path/out)
        assert p.wait(300) == 0, p.stderr.read().decode()
        p.stderr.close()
    for f in FILES: assert (tmp_path/'killed'/f).read_bytes() == (tmp_path/'whole'/f).read_bytes(), f
    assert sorted(f.name for f in (tmp_path/'killed').iterdir()) == sorted(FILES)


@pytest.mark.filterwarnings('ignore:The (source|target) has')
def test_translation_is_resumed_and_keeps_labels(tmp_path):
    records = people(tmp_path/'people')
    train_translation(records, records, TINY, tmp_path/'style', steps=2, device='cpu')
    generator = load_generator(tmp_path/'style'/'generator.safetensors')
    whole = translate(records, generator, tmp_path/'a')
    for f in whole.image[::2]: os.remove(f)
    kept = {f: os.stat(f).st_mtime_ns for f in whole.image[1::2]}
    again = translate(records, generator, tmp_path/'a', batch_size=3)
    assert again.equals(whole) and all(os.stat(f).st_mtime_ns == t for f, t in kept.items())
    others = [c for c in records if c != 'image']
    assert again[others].equals(records[others].reset_index(drop=True)) and np.unique(again.image).size == len(records)
