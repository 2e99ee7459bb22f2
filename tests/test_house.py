"Layout and conventions: library and notebooks agree, notebooks are clean, executed and light, parts import downwards only."
import configparser, json, re, shutil, subprocess, sys

import pytest

import reid_nb
from conftest import ROOT

NOTEBOOKS = sorted(p for p in (ROOT/'nbs').rglob('*.ipynb') if '.ipynb_checkpoints' not in p.parts)
ids = lambda p: str(p.relative_to(ROOT/'nbs'))


def code_cells(path): return [c for c in json.loads(path.read_text())['cells'] if c['cell_type'] == 'code']


@pytest.fixture(scope='session')
def copy(tmp_path_factory):
    "A copy of the project, freshly exported and cleaned."
    to = tmp_path_factory.mktemp('copy')
    for f in ('pyproject.toml', 'settings.ini', 'setup.py'): shutil.copy(ROOT/f, to)
    for d in ('nbs', 'reid_nb'): shutil.copytree(ROOT/d, to/d, ignore=shutil.ignore_patterns('.ipynb_checkpoints', '__pycache__'))
    bin = shutil.os.path.dirname(sys.executable)
    for command in ('nbdev-export', 'nbdev-clean'): subprocess.run([f'{bin}/{command}'], cwd=to, check=True, capture_output=True)
    return to


def test_library_is_what_the_notebooks_export(copy):
    files = lambda root: {str(f.relative_to(root)): f.read_text() for f in (root/'reid_nb').rglob('*.py')}
    mine, exported = files(ROOT), files(copy)
    assert sorted(mine) == sorted(exported)
    assert [f for f in mine if mine[f] != exported[f]] == [], 'run `make export`; the notebooks are the source'


def test_every_module_has_a_notebook(copy):
    sources = {m for f in NOTEBOOKS for c in code_cells(f) for m in re.findall(r'^#\| default_exp (\S+)', ''.join(c['source']), re.M)}
    modules = {str(f.relative_to(ROOT/'reid_nb').with_suffix('')).replace('/', '.') for f in (ROOT/'reid_nb').rglob('*.py') if not f.name.startswith('_')}
    assert modules == sources


@pytest.mark.parametrize('path', NOTEBOOKS, ids=ids)
def test_notebook_is_clean_executed_and_light(path, copy):
    assert (copy/path.relative_to(ROOT)).read_text() == path.read_text(), 'run `make export`; it cleans the notebooks'
    assert path.stat().st_size < 1.5e6
    outputs = [o for c in code_cells(path) for o in c['outputs']]
    assert not any(o['output_type'] == 'error' for o in outputs)
    assert outputs or not code_cells(path), 'commit it executed'
    text = json.dumps([o.get('text', '') for o in outputs] + [{k: v for k, v in o.get('data', {}).items() if k.startswith('text')} for o in outputs])
    assert not re.search(r'(?<![\w.])/(tmp|home|root|Users)/', text), 'an output shows a folder of the machine it ran on'


def test_parts_import_downwards_only():
    number, imports = {}, {}
    for f in NOTEBOOKS:
        source = '\n'.join(''.join(c['source']) for c in code_cells(f) if '#| export' in ''.join(c['source']))
        for m in re.findall(r'^#\| default_exp (\S+)', '\n'.join(''.join(c['source']) for c in code_cells(f)), re.M):
            number[m], imports[m] = f.name.split('_')[0], set(re.findall(r'^\s*(?:from|import) reid_nb\.([\w.]+)', source, re.M))
    wrong = [(m, i) for m, used in imports.items() for i in used if number[i] >= number[m]]
    assert wrong == []


def test_papermill_tags_survive_cleaning(tmp_path):
    shutil.copy(ROOT/'pyproject.toml', tmp_path); (tmp_path/'nbs').mkdir(); (tmp_path/'reid_nb').mkdir()
    cell = dict(cell_type='code', id='a', metadata=dict(tags=['parameters'], collapsed=True), source=['seed = 0'], outputs=[], execution_count=3)
    (tmp_path/'nbs'/'x.ipynb').write_text(json.dumps(dict(cells=[cell], metadata={}, nbformat=4, nbformat_minor=5)))
    subprocess.run([f'{shutil.os.path.dirname(sys.executable)}/nbdev-clean'], cwd=tmp_path, check=True, capture_output=True)
    assert json.loads((tmp_path/'nbs'/'x.ipynb').read_text())['cells'][0]['metadata'] == dict(tags=['parameters'])


def test_one_version():
    cfg = configparser.ConfigParser(interpolation=None); cfg.read(ROOT/'settings.ini')
    assert cfg['DEFAULT']['version'] == reid_nb.__version__
    assert f"version: {reid_nb.__version__}" in (ROOT/'CITATION.cff').read_text()
