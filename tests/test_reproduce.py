"`reid-nb reproduce` on a copy of the book: chapters and pages run, nothing runs twice, and what is wrong is said."
import os, shutil, subprocess, sys

import pytest

from conftest import ROOT

pytest.importorskip('snakemake')


@pytest.fixture(scope='module')
def project(tmp_path_factory):
    to = tmp_path_factory.mktemp('project')/'book'
    keep = {'nbs', 'reid_nb', 'workflow', 'data', 'pyproject.toml'}
    other = lambda d, names: [n for n in names if d == str(ROOT) and n not in keep or n in ('__pycache__', '.ipynb_checkpoints')]
    shutil.copytree(ROOT, to, ignore=other)
    return to


def reproduce(project, *args):
    command = [sys.executable, '-c', 'from reid_nb.cli import main; main()', 'reproduce', *args]
    env = {**os.environ, 'PYTHONPATH': str(project), 'REID_DATA': ''}
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, env=env)
    return done.returncode, done.stdout + done.stderr


def test_pages_and_their_figures(project):
    code, said = reproduce(project, '--only', 'papers/datasets,papers/finegpr')
    assert code == 0, said
    assert '2 runs done' in said and (project/'runs/mini/papers/datasets.ipynb').is_file()
    unmeasured = dict(datasets=('counts', 'errata', 'sizes', 'sums'), finegpr=('errata', 'reported-size', 'table1'))
    for page, stems in unmeasured.items(): # what does not depend on runs
        assert list((project/'figures'/page).glob('*.png')) and list((project/'figures'/page).glob('*.svg'))
        for f in (f'figures/{page}/{stem}.csv' for stem in stems):
            assert (project/f).read_bytes() == (ROOT/f).read_bytes(), 'the committed figures are not what the page makes'
    front = (project/'figures/README.md').read_text()
    assert 'datasets/sizes.png' in front and front.count('not built yet') == 54 - 3
    code, said = reproduce(project, '--only', 'papers/datasets,papers/finegpr')
    assert code == 0 and '0 runs done, 2 were there' in said


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
