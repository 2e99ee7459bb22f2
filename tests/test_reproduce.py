"`reid-nb reproduce` on a copy of the book: chapters and pages run, nothing runs twice, and what is wrong is said."
import os, shutil, subprocess, sys

import pandas as pd
import pytest

from conftest import ROOT

pytest.importorskip('snakemake')


@pytest.fixture(scope='module')
def project(tmp_path_factory):
    to = tmp_path_factory.mktemp('project')/'book'
    keep = {'nbs', 'reid_nb', 'workflow', 'data', 'pyproject.toml'}
    passing = lambda n: n == '.ipynb_checkpoints' or '.tmp.' in n or '.pyc.' in n # what others, at work beside us, write just now
    shutil.copytree(ROOT, to, ignore=lambda d, names: [n for n in names if d == str(ROOT) and n not in keep or passing(n)])
    return to


def reproduce(project, *args):
    command = [sys.executable, '-c', 'from reid_nb.cli import main; main()', 'reproduce', *args]
    env = {**os.environ, 'PYTHONPATH': str(project), 'REID_DATA': ''}
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, env=env)
    return done.returncode, done.stdout + done.stderr


def same_as_committed(folder, page, stems):
    assert list(folder.glob('*.png')) and list(folder.glob('*.svg'))
    for name in (f'{stem}.csv' for stem in stems):
        committed = (ROOT/'figures'/page/name).read_bytes()
        assert (folder/name).read_bytes() == committed, 'the committed figures are not what the page makes'


def test_pages_and_their_figures(project):
    code, said = reproduce(project, '--only', 'papers/datasets')
    assert code == 0, said
    assert '1 runs done' in said and (project/'runs/mini/papers/datasets.ipynb').is_file()
    same_as_committed(project/'figures'/'datasets', 'datasets', ('counts', 'errata', 'sizes', 'sums'))
    front = (project/'figures/README.md').read_text()
    assert 'datasets/sizes.png' in front and front.count('not built yet') == 54
    assert (ROOT/'figures/README.md').read_text().count('not built yet') == 54 - 12 # FineGPR's are
    code, said = reproduce(project, '--only', 'papers/datasets')
    assert code == 0 and '0 runs done, 1 were there' in said


def test_a_paper_from_end_to_end(project):
    code, said = reproduce(project, '--profile', 'smoke', '--paper', 'finegpr')
    assert code == 0, said
    made = project/'runs'/'smoke'/'figures'/'finegpr'
    same_as_committed(made, 'finegpr', ('errata', 'fig3', 'reported-size', 'table1')) # what does not depend on runs
    for artifact in ('table2', 'table3', 'table3-time', *(f'fig{n}' for n in range(1, 10)), 'claims'):
        assert (made/f'{artifact}.png').is_file()
    table3 = pd.read_csv(made/'table3.csv').query("target == 'market1501' and metric == 'rank-1'")
    assert table3.measured.notna().all() and set(table3.domain) == {'stand-in'} and set(table3.profile) == {'smoke'}
    code, said = reproduce(project, '--profile', 'smoke', '--paper', 'finegpr')
    assert code == 0 and '0 runs done' in said


def test_a_failure_is_shown(project):
    notebook = project/'nbs'/'papers'/'datasets.ipynb'
    notebook.write_text(notebook.read_text().replace('36_411', '36_412'))
    code, said = reproduce(project, '--profile', 'smoke', '--paper', 'datasets')
    assert code == 1 and 'FAILED papers/datasets: cell' in said and 'AssertionError' in said
    assert 'See runs/failed/datasets-' in said


def test_everything_is_planned(project):
    code, said = reproduce(project, '--dry-run', '--profile', 'smoke')
    assert code == 0
    for name in ('00_core', '99_cli', 'papers/drawn', 'drawn/plain-2-0'): assert f'  {name} ' in said


STAGES = '''
from reid_nb.data.records import load_records
from reid_nb.runs import run_stage

images = lambda run: set(load_records(run.folder).image)
rendered, target = (run_stage('stages/render', dict(spec=spec, scale=.01)) for spec in ('mini_gspr', 'market1501'))
assert (rendered.metrics['domain'], target.metrics['domain']) == ('rendered', 'stand-in')
assert load_records(rendered.folder).pid.nunique() == 5 and rendered.metrics['images'] == 260

some = run_stage('stages/select', dict(people=4, each=12, query="weather != 'foggy'"), dict(dataset=rendered))
fewer = run_stage('stages/select', dict(people=4, each=6, query="weather != 'foggy'"), dict(dataset=rendered))
chosen = load_records(some.folder)
assert chosen.groupby('pid').size().tolist() == [12] * 4 and 'foggy' not in set(chosen.weather)
assert images(fewer) < images(some) < images(rendered)

held = run_stage('stages/hold_out', {}, dict(dataset=target))
r = load_records(held.folder)
assert images(held) == set(load_records(target.folder).query("split == 'train'").image)
assert not set(r.pid[r.split == 'train']) & set(r.pid[r.split == 'query']) and set(r.pid[r.split == 'query']) <= set(r.pid[r.split == 'gallery'])
assert (r[r.split == 'query'].groupby(['pid', 'camid']).size() == 1).all()

small = dict(backbone='resnet10_ibn_a', weights=None, frozen=0, epochs=1, P=4, K=3, height=64, width=32)
model = run_stage('stages/train', dict(settings=small), dict(dataset=some))
assert model.metrics['people'] == 4 and (model.folder/'model.safetensors').is_file()
scores = [run_stage('stages/evaluate', dict(norms=n), dict(model=model, dataset=target)) for n in ('as trained', 'of each camera')]
assert scores[0].metrics['queries'] == scores[1].metrics['queries'] > 0 and scores[0].metrics['mAP'] != scores[1].metrics['mAP']

chosen = run_stage('stages/choose', dict(per_identity=3, viewpoints=4), dict(dataset=rendered, target=target))
r = load_records(chosen.folder)
assert (r.groupby('pid').size() == 3).all() and set(r.image) <= images(rendered) and chosen.metrics['images'] == 15
masked = run_stage('stages/render', dict(spec='mini_gspr', scale=.01, each=4, masks=True))
style = run_stage('stages/style', dict(config='ptgan', settings=dict(steps=2, filters=4)), dict(source=masked, target=target))
moved = run_stage('stages/translate', {}, dict(dataset=masked, style=style))
a, b = (load_records(run.folder) for run in (masked, moved))
files = ['image', 'mask', 'full_mask', 'parts']
assert len(a) == 20 and a.drop(columns=files).equals(b.drop(columns=files)) and not images(masked) & images(moved)
near = [run_stage('stages/frechet', dict(images=20), dict(dataset=run, target=target)).metrics for run in (masked, moved)]
assert near[0]['Frechet distance'] > 0 and near[0]['images'] == 20 and near[0]['Frechet distance'] != near[1]['Frechet distance']
'''


def test_stages(project, tmp_path):
    "From a plan of the renderer to a score, each step a run."
    env = {**os.environ, 'PYTHONPATH': str(project), 'REID_DATA': '', 'REID_CACHE': str(tmp_path)}
    done = subprocess.run([sys.executable, '-c', STAGES], cwd=project, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    left = [f for kind in ('trainings', 'styles') for f in (tmp_path/kind).glob('*')]
    assert not left, 'a checkpoint was left behind'
