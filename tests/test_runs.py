"`reid-nb reproduce` on a small project of its own: killed and resumed, twice at once, damaged, changed, broken."
import json, os, shutil, signal, subprocess, sys, time

import pytest

from conftest import ROOT
from reid_nb.runs import write_notebook

pytest.importorskip('snakemake'); pytest.importorskip('papermill')

BEGIN = 'import time\nfrom reid_nb.runs import begin_run, open_inputs, write_metrics\nout = begin_run(out)'
NOTEBOOKS = {
    'stages/numbers': ('n = 4\nseed = 0\nout = ""', BEGIN, 'x = [(k * 7 + seed) % 5 for k in range(n)]',
                       '(out/"x.txt").write_text(" ".join(map(str, x)))'),
    'stages/mean': ('wait = 0.0\ninputs = dict(numbers=("stages/numbers",))\nout = ""', BEGIN, 'time.sleep(wait)',
                    'x = open_inputs(inputs)["numbers"].folder/"x.txt"\nv = [int(s) for s in x.read_text().split()]',
                    'write_metrics(out, mean=sum(v) / len(v), domain="drawn")'),
    'stages/broken': ('kind = "division"\nout = ""', BEGIN,
                      'if kind == "full": raise OSError(28, "No space left on device")\n'
                      'if kind == "killed": import os; os.kill(os.getppid(), 9); time.sleep(60)\n1 / 0'),
    'papers/small': ('profile = "mini"\nseeds = 1\ninputs = {}\nout = ""', BEGIN,
                     'rows = [f"{n},{r.metrics[\'mean\']}" for n, r in open_inputs(inputs).items() if "mean" in r.metrics]',
                     '(out/"figures").mkdir()\n(out/"figures"/"table1.csv").write_text("\\n".join(rows))'),
    **{f'papers/{page}': ('inputs = {}\nout = ""', BEGIN) for page in ('bad', 'real', 'typo')}}
PLANS = {
    'small': '''ARTIFACTS = dict(table1=['mean-*'])
def runs(profile, targets, seeds):
    found = {f'numbers-{s}': Run('stages/numbers', dict(seed=s)) for s in range(2)}
    return found | {f'mean-{s}': Run('stages/mean', dict(wait=WAIT), dict(numbers=f'numbers-{s}')) for s in range(2)}''',
    'bad': '''def runs(profile, targets, seeds): return dict(a=Run('stages/broken'), b=Run('stages/numbers', dict(n=3)))''',
    'real': '''TARGETS = ('market1501',)
def runs(profile, targets, seeds): return {t: Run('stages/read', p) for t in targets if (p := real_dataset(t))}''',
    'typo': '''def runs(profile, targets, seeds): return dict(a=Run('stages/numbers', dict(sed=1)))'''}


def make_project(folder, wait=0.):
    for name, cells in NOTEBOOKS.items(): write_notebook(folder/'nbs'/f'{name}.ipynb', *cells, title='A title')
    (folder/'workflow'/'plans').mkdir(parents=True); (folder/'data').mkdir()
    for name, plan in PLANS.items():
        plan = f'from reid_nb.plans import Run, real_dataset\nWAIT = {wait}\n{plan}'
        (folder/'workflow'/'plans'/f'{name}.py').write_text(plan)
    (folder/'data'/'artifacts.csv').write_text('paper,artifact,shows\nsmall,table1,Means\nsmall,fig1,Not yet\n')
    shutil.copy(ROOT/'workflow'/'Snakefile', folder/'workflow')
    return folder


def start(project, *args, **env):
    command = [sys.executable, '-c', 'from reid_nb.cli import main; main()', 'reproduce', *args]
    return subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            env={**os.environ, 'PYTHONPATH': str(ROOT), 'REID_DATA': '', **env})


def reproduce(project, *args, **env):
    process = start(project, *args, **env)
    said, _ = process.communicate()
    return process.returncode, said


def results(project):
    "What counts in the end: metrics, artifacts and figures, by path."
    patterns = ('runs/store/*/metrics.json', 'runs/store/*/x.txt', 'figures/small/table1.csv')
    files = [f for pattern in patterns for f in project.glob(pattern)]
    return {f.relative_to(project).as_posix(): f.read_bytes() for f in files}


def change(file, old, new): assert old in file.read_text(); file.write_text(file.read_text().replace(old, new))


@pytest.fixture(scope='module')
def project(tmp_path_factory):
    "Reproduced by two processes at once."
    project = make_project(tmp_path_factory.mktemp('runs')/'project')
    both = [start(project, '--paper', 'small') for _ in range(2)]
    said = sorted((p.communicate()[0] for p in both), key=lambda s: 'Waiting for it' in s)
    assert [p.returncode for p in both] == [0, 0], said
    assert '5 runs done, 0 were there' in said[0]
    assert 'Another reproduce is at work in this folder (process ' in said[1] and '0 runs done, 5 were there' in said[1]
    return project


def test_what_is_made(project):
    x = [[(k * 7 + seed) % 5 for k in range(4)] for seed in range(2)]
    assert (project/'figures'/'small'/'table1.csv').read_text() == '\n'.join(f'mean-{s},{sum(x[s]) / 4}' for s in range(2))
    about = json.loads(next(project.glob('runs/store/mean-*/run.json')).read_text())
    assert {'key', 'stage', 'parameters', 'inputs', 'code', 'packages', 'machine', 'seconds', 'peak_mb', 'seed'} <= set(about)
    assert (project/'runs'/'mini'/'papers'/'small.ipynb').is_file() and not list(project.glob('runs/.work*'))
    begun = time.time()
    code, said = reproduce(project, '--paper', 'small')
    assert code == 0 and 'All 5 runs are there.' in said and time.time() - begun < 10


def test_a_damaged_run_is_told_and_computed_again(project):
    before, metrics = results(project), sorted(project.glob('runs/store/mean-*/metrics.json'))
    metrics[0].write_text(metrics[0].read_text().replace('.', ','))
    metrics[1].unlink()
    code, said = reproduce(project, '--paper', 'small')
    assert code == 0 and said.count('and will be computed again') == 2 and 'is damaged (metrics.json has changed)' in said
    assert 'is damaged (metrics.json is missing)' in said and '2 runs done, 3 were there' in said and results(project) == before


def test_only_what_depends_on_a_change_runs(project):
    mean, numbers = project/'nbs'/'stages'/'mean.ipynb', project/'nbs'/'stages'/'numbers.ipynb'
    change(numbers, '# A title', '# A better title')
    assert 'All 5 runs are there.' in reproduce(project, '--paper', 'small', '--dry-run')[1]
    change(mean, 'v = [int(s)', 'v = [  int(s)')
    assert 'All 5 runs are there.' in reproduce(project, '--paper', 'small', '--dry-run')[1]
    change(mean, 'sum(v) / len(v)', 'sum(v) / max(1, len(v))')
    code, said = reproduce(project, '--only', 'small/table1', '--dry-run', '--why')
    lines = [l.split('   ')[-1].strip() for l in said.splitlines() if l.startswith('  ')]
    assert code == 0 and '3 of 5 runs to do' in said and 'About ' in said
    assert lines == ['the code of its notebook has changed'] * 2 + ['its input mean-0 is new; its input mean-1 is new']
    change(mean, 'sum(v) / max(1, len(v))', 'sum(v) / len(v)')


def test_killed_and_resumed(project, tmp_path):
    import psutil
    other = make_project(tmp_path/'project', wait=3.) # the same but slower: other keys, the same numbers
    process = start(other, '--paper', 'small', '--jobs', '2')
    deadline = time.time() + 90
    running = lambda: any('"running"' in f.read_text() for f in other.glob('runs/.work-*/state/mean-*.json'))
    while not running() and time.time() < deadline: time.sleep(.05)
    time.sleep(1)
    process.send_signal(signal.SIGKILL); process.communicate()
    kept = sorted(f.parent.name for f in other.glob('runs/store/*/run.json'))
    assert kept and not any(k.startswith('small') for k in kept) # something had finished, and not everything
    mine = lambda p: str(other) in ' '.join(p.info['cmdline'] or ()) and p.info['status'] != psutil.STATUS_ZOMBIE
    while [p for p in psutil.process_iter(['cmdline', 'status']) if mine(p)] and time.time() < deadline: time.sleep(.1)
    left = [p.info['cmdline'] for p in psutil.process_iter(['cmdline', 'status']) if mine(p)]
    assert left == [], 'what a killed call had started goes on'

    code, said = reproduce(other, '--paper', 'small')
    assert code == 0 and f'{5 - len(kept)} runs done, {len(kept)} were there' in said
    values = lambda p: sorted(v for k, v in results(p).items() if 'metrics' in k or 'figures' in k)
    assert values(other) == values(project) and not list(other.glob('runs/store/.*')) and not list(other.glob('runs/.work*'))


def test_a_failing_notebook_is_shown_and_others_go_on(project):
    code, said = reproduce(project, '--paper', 'bad')
    assert code == 1 and 'finished bad/b' in said
    assert 'FAILED bad/a: cell 4 raised ZeroDivisionError: division by zero' in said and 'The cell begins: if kind ==' in said
    path = next(w for w in said.split() if w.startswith('runs/failed/broken-'))
    assert any(o['output_type'] == 'error' for c in json.loads((project/path).read_text())['cells'] for o in c.get('outputs', ()))
    assert 'papers/bad: not run, because something it reads failed.' in said


def test_a_killed_process_is_named(project):
    change(project/'workflow'/'plans'/'bad.py', "Run('stages/broken')", "Run('stages/broken', dict(kind='killed'))")
    code, said = reproduce(project, '--paper', 'bad')
    change(project/'workflow'/'plans'/'bad.py', "Run('stages/broken', dict(kind='killed'))", "Run('stages/broken')")
    assert code == 1 and 'FAILED bad/a: its process ended without a word' in said and 'The log ends:' in said
    assert 'papers/bad: not run, because something it reads failed.' in said and not list(project.glob('runs/store/.*'))


@pytest.mark.parametrize('text', ['null', '[]', '{}', '{"files": []}', '{"files": {}}', '{"files": {"a": 3}}'])
def test_a_record_that_is_none(project, text):
    record, = project.glob('runs/store/small-*/run.json')
    kept = record.read_text()
    record.write_text(text)
    code, said = reproduce(project, '--paper', 'small', '--dry-run', '--why')
    record.write_text(kept)
    assert code == 0 and 'is damaged (its run.json is not that of a run)' in said and 'Traceback' not in said


def test_a_full_disk_stops_everything(project):
    change(project/'workflow'/'plans'/'bad.py', "Run('stages/broken')", "Run('stages/broken', dict(kind='full'))")
    code, said = reproduce(project, '--paper', 'bad')
    assert code == 1 and 'The disk is full. Nothing half-written was kept' in said and not list(project.glob('runs/store/.*'))
    assert not list(project.glob('runs/store/broken*'))


@pytest.mark.parametrize('args, says', [
    (['--paper', 'smal'], "no paper named 'smal'; did you mean 'small'? Known: bad, real, small, typo"),
    (['--only', 'small/table2'], "did you mean 'small/table1'? Known: papers/bad, papers/real, papers/small"),
    (['--only', 'small/fig1'], 'small/fig1 is not built yet; these are: small/table1'),
    (['--profile', 'mimi'], "did you mean 'mini'?"),
    (['--paper', 'typo'], "no parameter of stages/numbers named 'sed'; did you mean 'seed'?"),
    (['--target', 'mars'], "no target named 'mars'"), (['--only', ','], 'A name is missing'),
    (['--only', 'small/table1', '--paper', 'bad'], 'use one of the two'),
    (['--paper', 'small', '--target', 'market1501'], 'small has no target market1501; it has: none')])
def test_wrong_names(project, args, says):
    code, said = reproduce(project, *args)
    assert code == 1 and says in said and len(said.strip().splitlines()) == 1


def test_real_data_that_is_not_there(project):
    code, said = reproduce(project, '--paper', 'real', REID_DATA='/no/such/folder')
    assert code == 1 and len(said.strip().splitlines()) == 1
    assert 'REID_DATA is set to /no/such/folder, which is not a folder' in said
    code, said = reproduce(project, '--paper', 'real', '--dry-run')
    assert code == 0 and '1 of 1 runs to do' in said


def test_options_for_snakemake_arrive(project):
    code, said = reproduce(project, '--paper', 'typo', '--', '--no-such-option')
    assert code == 1 and "did you mean 'seed'?" in said # our own checks come first
    change(project/'workflow'/'plans'/'typo.py', 'sed=1', 'n=2')
    code, said = reproduce(project, '--paper', 'typo', '--', '--no-such-option')
    assert code == 1 and 'Snakemake did not start' in said and '--no-such-option' in (project/'runs'/'snakemake.log').read_text()


def test_outside_of_a_checkout(tmp_path):
    code, said = reproduce(tmp_path)
    assert code == 1 and 'is not in a checkout of the book' in said and len(said.strip().splitlines()) == 1
