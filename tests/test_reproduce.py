"`make reproduce` on a copy of the project: runs, runs nothing twice, says what is wrong."
import os, shutil, subprocess, sys

import pytest

from conftest import ROOT

pytest.importorskip('snakemake')


@pytest.fixture(scope='module')
def project(tmp_path_factory):
    to = tmp_path_factory.mktemp('project')/'book'
    keep = {'nbs', 'reid_nb', 'workflow', 'data', 'constraints.txt', 'pyproject.toml'}
    shutil.copytree(ROOT, to, ignore=lambda d, names: [n for n in names if d == str(ROOT) and n not in keep or n in ('__pycache__', '.ipynb_checkpoints')])
    return to


def reproduce(project, *args):
    bin = os.path.dirname(sys.executable)
    done = subprocess.run([sys.executable, 'workflow/reproduce.py', *args], cwd=project, capture_output=True, text=True,
                          env={**os.environ, 'PATH': f"{bin}:{os.environ['PATH']}", 'PYTHONPATH': str(project), 'REID_DATA': ''})
    return done.returncode, done.stdout + done.stderr


def test_a_page_and_its_figures(project):
    code, said = reproduce(project, '--profile', 'smoke', '--only', 'papers/datasets')
    assert code == 0, said
    assert '1 notebooks run' in said and (project/'runs/smoke/papers/datasets.ipynb').is_file()
    for f in ('errata.md', 'counts.csv', 'sizes.png', 'sizes.svg'): assert (project/'figures/datasets'/f).is_file()
    assert 'datasets/sizes.png' in (project/'figures/index.md').read_text()
    same = [f for f in ('errata.csv', 'sums.csv', 'sizes.csv', 'counts.csv') if (project/'figures/datasets'/f).read_text() == (ROOT/'figures/datasets'/f).read_text()]
    assert len(same) == 4, 'the committed figures are not what the page makes'
    code, said = reproduce(project, '--profile', 'smoke', '--only', 'papers/datasets')
    assert code == 0 and '0 notebooks run, 1 were up to date' in said


def test_a_failure_is_shown(project):
    notebook = project/'nbs'/'papers'/'datasets.ipynb'
    notebook.write_text(notebook.read_text().replace('36_411', '36_412'))
    code, said = reproduce(project, '--profile', 'smoke', '--only', 'papers/datasets')
    assert code == 1 and 'Open runs/smoke/papers/datasets.ipynb.part.ipynb to see where' in said


@pytest.mark.parametrize('args, says', [(['--profile', 'smke'], "did you mean 'smoke'?"), (['--only', 'papers/dataset'], "did you mean 'papers/datasets'?")])
def test_wrong_names(project, args, says):
    code, said = reproduce(project, *args)
    assert code == 1 and says in said and len(said.strip().splitlines()) == 1
