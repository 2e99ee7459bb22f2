"Killed at any step, shared by processes, translated to ONNX: the same weights, the same losses, the same features."
import json, os, signal, subprocess, sys

import numpy as np
import pandas as pd
import pytest
import torch

from reid_nb.data.drawn import draw_people
from reid_nb.data.records import load_records
from reid_nb.features import export_onnx, extract, load_model, make_model, read_tensors
from reid_nb.learner import configuration
from reid_nb.training import _new_model, train

needs_posix = pytest.mark.skipif(os.name != 'posix', reason='signals of POSIX')
SMALL = dict(backbone='resnet10_ibn_a', weights=None, height=64, width=32, P=4, K=4)


@pytest.fixture(scope='module')
def people(tmp_path_factory): return draw_people(tmp_path_factory.mktemp('people'), ids=16, cameras=3, per_camera=2, height=64, width=32)


def run(people, how, tasks, launch=(), valid=False):
    """`train` for each (folder, kill), in processes forked from one that has imported everything; 'step 5' or 'write 2' (in the middle
    of the second checkpoint) is where it kills itself. Their exit statuses, negative for a signal; the last words are printed."""
    code = f'''
import json, os, signal, sys, torch
import reid_nb.learner as L
from reid_nb.data.records import load_records
from reid_nb.training import train
torch.set_num_threads(1)

def work(out, kill):
    what, _, number = kill.partition(' ')
    written, save_file, after = [], L.save_file, L.Place.after_batch
    def die(): os.kill(os.getpid(), signal.SIGKILL)
    def save(tensors, f, **how):
        written.append(f)
        if what == 'write' and len(written) == int(number): open(f, 'wb').write(b'half a file'); die()
        save_file(tensors, f, **how)
    def step(self):
        after(self)
        if what == 'step' and self.learn.step == int(number): die()
    L.save_file, L.Place.after_batch = save, step
    people = load_records({os.path.dirname(people.image[0])!r})
    train(people, 'cpu', out, device='cpu', save_every=2, valid=people if {valid} else None, **{how!r})
    if torch.distributed.is_initialized(): torch.distributed.destroy_process_group()

tasks = json.loads({json.dumps([[str(out), kill] for out, kill in tasks])!r})
if len(tasks) == 1: work(*tasks[0]); sys.exit()
for task in tasks:
    pid = os.fork()
    if pid == 0: work(*task); os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
'''
    file = tasks[0][0].parent/'work.py'; file.write_text(code)
    done = subprocess.run([sys.executable, *launch, str(file)], capture_output=True, text=True)
    return done if len(tasks) == 1 else [int(n) for n in done.stdout.split()]


@needs_posix
@pytest.mark.parametrize('how', [dict(average=.9, norm_group=8, dropout=.3), dict(optimizer='sgd', K=0, triplet=0., P=12)], ids=['adam', 'sgd'])
def test_killed_anywhere_the_weights_are_the_same(people, tmp_path, how):
    "Steps 1 (nothing kept), 3 and 5 (a step after a checkpoint), 4 (before its checkpoint), the last; and in the middle of writing."
    calm, kills = tmp_path/'calm', ['step 1', 'step 3', 'step 4', 'step 6', 'write 1', 'write 3']
    folders = [tmp_path/k.replace(' ', '_') for k in kills]
    tasks = [(calm, '')] + list(zip(folders, kills)) + [(f, '') for f in folders]
    often = [(tmp_path/'often', k) for k in ('step 2', 'step 5', 'step 6', '')]              # killed again and again
    killed = -signal.SIGKILL
    assert run(people, SMALL | dict(epochs=3) | how, tasks + often) == [0] + [killed] * 6 + [0] * 6 + [killed] * 3 + [0]
    assert pd.read_csv(calm/'history.csv').step.iloc[-1] >= 6
    for f in (*folders, tmp_path/'often'):
        assert (f/'model.safetensors').read_bytes() == (calm/'model.safetensors').read_bytes(), f.name
        assert not [g for g in f.iterdir() if g.name.endswith('.partial')]                   # what a killed one left was swept


def start_of(people, how):
    "The weights a training begins with."
    return _new_model(configuration('cpu', **how), people[people.split == 'train'].pid.nunique(), 0).state_dict()


def apart(start, one, other):
    "How far two trainings went apart, as a share of how far one went: for the weights, and for running means and variances."
    def length(names, f): return sum((f(k).double() ** 2).sum().item() for k in names) ** .5
    moving = [k for k in start if start[k].is_floating_point()]
    groups = [[k for k in moving if ('running' in k) == running] for running in (False, True)]
    return [length(g, lambda k: one[k] - other[k]) / length(g, lambda k: one[k] - start[k]) for g in groups]


@needs_posix
def test_one_process_and_four(people, tmp_path):
    """The whole training, dropout included, 1 x 64 and 4 x 16: the same losses, scores, weights and statistics but for rounding.
    With norms of the whole batch in one process, all of that differs."""
    how = SMALL | dict(P=8, K=8, epochs=2, norm_group=16, augmentation='finegpr', optimizer='sgd', lr=1e-3, warmup=0., dropout=.3)
    alone = run(people, how, [(tmp_path/'alone', '')], valid=True); assert alone.returncode == 0, alone.stderr
    launch = ('-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=4')
    four = run(people, how, [(tmp_path/'four', '')], launch, valid=True); assert four.returncode == 0, four.stderr[-3000:]
    whole = run(people, how | dict(norm_group=0), [(tmp_path/'whole', '')]); assert whole.returncode == 0, whole.stderr
    a, b = (pd.read_csv(tmp_path/d/'history.csv') for d in ('alone', 'four'))
    terms = ['loss', 'identity', 'triplet']
    one, many, other = (load_model(tmp_path/d/'model.safetensors').state_dict() for d in ('alone', 'four', 'whole'))
    start = start_of(people, how)
    near, far = apart(start, one, many), apart(start, one, other)
    np.testing.assert_allclose(a[terms], b[terms], rtol=1e-4)
    np.testing.assert_allclose(a[['mAP', 'rank-1']], b[['mAP', 'rank-1']], atol=.02)
    assert (a.step == b.step).all()
    assert max(near) < 1e-3 and far[0] > .3 and far[1] > .01
    refused = run(people, how | dict(norm_group=0), [(tmp_path/'no', '')], launch)
    assert refused.returncode and 'norm_group=16' in refused.stderr


def test_other_images_under_the_same_names(people, tmp_path):
    "A finished training is not taken for that of other pictures, nor for one that is judged in another way."
    import shutil
    from PIL import Image
    shutil.copytree(os.path.dirname(people.image[0]), tmp_path/'people')
    own = load_records(tmp_path/'people')
    again = lambda **more: train(own, 'cpu', tmp_path/'model', device='cpu', **SMALL, epochs=1, **more)
    again(); again()
    for more in (dict(valid=own), dict(valid=own, patience=2), dict(evaluate_every=2)):
        with pytest.raises(ValueError, match='Choose another folder'): again(**more)
    draw = np.random.default_rng(0)
    for f in own.image: Image.fromarray(draw.integers(256, size=(64, 32, 3), dtype='uint8')).save(f)
    with pytest.raises(ValueError, match='other images or labels'): again()


def test_a_checkpoint_of_another_architecture(people, tmp_path):
    train(people, 'cpu', tmp_path/'a', device='cpu', **SMALL, epochs=1)
    with pytest.raises(ValueError, match='with backbone = resnet10_ibn_a, and now backbone = resnet18'):
        train(people, 'cpu', tmp_path/'a', device='cpu', **SMALL | dict(backbone='resnet18'), epochs=1)
    with pytest.raises(ValueError, match='is a checkpoint of a training'): load_model(tmp_path/'a'/'checkpoint.safetensors')
    from safetensors.torch import save_file
    tensors, about = read_tensors(tmp_path/'a'/'model.safetensors')
    save_file(tensors, tmp_path/'lie.safetensors', metadata=dict(reid_nb=json.dumps(about | dict(backbone='resnet18'))))
    with pytest.raises(ValueError, match='does not hold a resnet18, as it says'): load_model(tmp_path/'lie.safetensors')
    save_file(tensors, tmp_path/'bare.safetensors')
    with pytest.raises(ValueError, match='was not written by reid_nb'): load_model(tmp_path/'bare.safetensors')


def test_workers_leave_no_trace(people, tmp_path):
    for n in (0, 2): train(people, 'cpu', tmp_path/str(n), device='cpu', workers=n, **SMALL, epochs=2)
    assert (tmp_path/'0'/'model.safetensors').read_bytes() == (tmp_path/'2'/'model.safetensors').read_bytes()


ONNX = ('resnet50', 'resnet50_ibn_a', 'densenet169', 'mobilenet_v2', 'efficientnet_lite0', 'resnet18', 'resnet10_ibn_a', 'osnet_ibn')


def agree(model, images, tmp_path):
    onnxruntime = pytest.importorskip('onnxruntime'); pytest.importorskip('onnxscript')
    session = onnxruntime.InferenceSession(export_onnx(model, tmp_path/'model.onnx'), providers=['CPUExecutionProvider'])
    there, = session.run(None, dict(images=images))
    np.testing.assert_allclose(there, extract(model, images), atol=1e-4)


@pytest.mark.parametrize('backbone', ONNX)
def test_onnx_agrees(people, tmp_path, backbone):
    from reid_nb.data.images import cache_images
    torch.manual_seed(0)
    model = make_model(backbone, 8, 64, 32, augmentation='pose_transfer' if backbone == 'resnet18' else 'none')
    agree(model, np.array(cache_images(people, 64, 32)[0][:9]), tmp_path)


def test_onnx_agrees_on_rendered_people(people, tmp_path):
    "A trained model, and crops of the data engine."
    from reid_nb.engine.specs import VirtualDataset
    rendered = VirtualDataset('street', size=(64, 32))
    model = train(people, 'cpu', tmp_path/'model', device='cpu', **SMALL, epochs=2)
    agree(model, np.stack([rendered[i].image for i in range(0, 84, 12)]), tmp_path)


def test_onnx_agrees_on_real_people(market1501, tmp_path):
    from reid_nb.data.images import cache_images
    torch.manual_seed(0)
    images = np.array(cache_images(market1501.iloc[:64].reset_index(drop=True), 128, 64)[0])
    agree(make_model('mobilenet_v2', 8, 128, 64), images, tmp_path)


def test_the_lines_of_the_readme(people, tmp_path, monkeypatch):
    "My folder of crops in, ranked matches out."
    from conftest import ROOT
    text = (ROOT/'README.md').read_text()
    code = next(b for b in text.split('```python\n')[1:] if 'load_model' in b).split('```')[0]
    train(people, 'cpu', tmp_path/'model', device='cpu', **SMALL, epochs=1)
    monkeypatch.chdir(tmp_path); (tmp_path/'my').mkdir(); os.symlink(os.path.dirname(people.image[0]), tmp_path/'my'/'crops')
    names = {}; exec(code, names)
    assert len(names['lists']) == 10 * (names['records'].split == 'query').sum() and (tmp_path/'matches.html').is_file()
