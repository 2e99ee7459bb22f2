"What the notebooks 30 to 33 cannot show in a cell: other processes, real data, memory, a browser, features that nobody chose."
import html, json, os, shutil, subprocess, sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from reid_nb.data.drawn import draw_people
from reid_nb.data.records import make_records
from reid_nb.evaluation import colour_histogram, evaluate, evaluate_file, rank_distances, rank_features
from reid_nb.neighbours import jaccard_distances, nearest, rerank
from reid_nb.pseudo_labels import cluster
from reid_nb.retrievals import write_retrieval_html


def python(code, **environment):
    "What `code` prints, in a process of its own."
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, env=os.environ | environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def world(n, people, dim, seed=0, noise=2.):
    r = np.random.default_rng(seed)
    pid, camid = r.integers(0, people, n), r.integers(1, 5, n)
    return (r.normal(size=(people, dim))[pid] + noise * r.normal(size=(n, dim))).astype('float32'), pid, camid


def double(q, g, metric):
    q, g = q.astype(float), g.astype(float)
    if metric == 'cosine': q, g = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (q, g))
    return ((q[:, None] - g) ** 2).sum(2)


# Exactness ----------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('metric', ['euclidean', 'cosine'])
@settings(deadline=None, max_examples=40)
@given(st.integers(1, 30), st.integers(1, 60), st.integers(2, 300), st.integers(1, 20), st.floats(-6, 6), st.integers(0, 2**32))
def test_ranks_are_those_of_double_precision(metric, queries, gallery, dim, people, size, seed):
    x, pid, camid = world(queries + gallery, people, dim, seed)
    x *= np.float32(10**size)
    q, g = slice(queries), slice(queries, None)
    labels = pid[q], camid[q], pid[g], camid[g]
    ours, plain = rank_features(x[q], x[g], *labels, metric), rank_distances(double(x[q], x[g], metric), *labels)
    assert (ours[1] == plain[1]).all() and (ours[0] == plain[0]).all()


def test_equal_features_tie_wherever_they_stand():
    "One picture, many times over: every match stands behind every stranger, in any block, at any edge of a kernel."
    x = np.tile(np.random.default_rng(0).normal(size=(1, 301)).astype('float32'), (1003, 1))
    pid, camid = np.r_[np.zeros(3, int), np.arange(1000) % 50], np.r_[np.ones(3, int), np.full(1000, 2)]
    ranks, start = rank_features(x[:3], x[3:], pid[:3], camid[:3], pid[3:], camid[3:], 'cosine')
    assert ranks[:20].tolist() == list(range(981, 1001)) and start.tolist() == [0, 20, 40, 60]


def test_blocks_do_not_show():
    "More queries and pictures than fit one block give what small pieces give."
    x, pid, camid = world(9000, 300, 16)
    q, g = slice(0, 1500), slice(1500, None)
    whole = rank_features(x[q], x[g], pid[q], camid[q], pid[g], camid[g])
    some = [slice(a, a + 100) for a in range(0, 1500, 100)]
    parts = [rank_features(x[a], x[g], pid[a], camid[a], pid[g], camid[g])[0] for a in some]
    assert (whole[0] == np.concatenate(parts)).all()


CODE = '''
import hashlib, numpy as np
from reid_nb.evaluation import rank_features
from reid_nb.neighbours import jaccard_distances, rerank
from reid_nb.pseudo_labels import cluster
r = np.random.default_rng(0)
pid, camid = r.integers(0, 200, 3000), r.integers(1, 5, 3000)
x = (r.normal(size=(200, 100))[pid] + 1.5 * r.normal(size=(3000, 100))).astype('float32')
J, y = jaccard_distances(x, within=.62), x + 20
out = [rank_features(x[:300], x[300:], pid[:300], camid[:300], pid[300:], camid[300:])[0], J.data, J.indices,
       cluster(x).labels, *[rerank(v[:n], v[n:], metric=m) for v in (x, y) for n in (1, 300) for m in ('euclidean', 'cosine')]]
print(hashlib.sha256(b''.join(np.ascontiguousarray(o).tobytes() for o in out)).hexdigest())
'''

def test_the_same_with_any_number_of_threads():
    threads = lambda n: dict(NUMBA_NUM_THREADS=str(n), OPENBLAS_NUM_THREADS=str(n), OMP_NUM_THREADS=str(n))
    assert len({python(CODE, **threads(n)) for n in (1, 2, 3)}) == 1


@pytest.mark.parametrize('dim', [64, 2048, 14336])
def test_a_single_query_of_nearly_constant_features(dim):
    "One row goes through another routine of the library than a block, with larger roundings; ranks must not show it."
    r = np.random.default_rng(dim)
    x = (1 / 3 + 1e-7 * r.random((600, dim))).astype('float32')
    pid, camid = np.r_[0, np.arange(599) % 30], np.r_[1, np.full(599, 2)]
    labels = pid[:1], camid[:1], pid[1:], camid[1:]
    d = np.stack([((x[1:].astype(float) - x[0]) ** 2).sum(1)])
    assert (rank_features(x[:1], x[1:], *labels)[0] == rank_distances(d, *labels)[0]).all()


def test_a_common_mean_changes_no_distance():
    x, *_ = world(500, 30, 256)
    moved = (x.astype(float) + 64).astype('float32') # a power of two: what rounding takes away, it takes from both
    x = moved.astype(float) - 64
    assert np.abs(rerank(moved[:80], moved[80:]) - rerank(x[:80], x[80:])).max() < 1e-6


def test_a_collapsed_model_is_neither_flattered_nor_fatal():
    x = np.ones((400, 32), 'float32')
    pid, camid = np.arange(400) % 40, 1 + np.arange(400) // 200
    records = make_records([f'{i}' for i in range(400)], pid, camid, np.where(camid == 1, 'query', 'gallery'), 'one')
    summary, _ = evaluate(x, records)
    assert summary['rank-20'] == 0 and summary['mAP'] < .03
    assert (nearest(x, 5).indices[:, 0] == np.arange(400)).all() and jaccard_distances(x).nnz
    assert np.isfinite(rerank(x[:9], x[9:])).all()
    assert set(cluster(x).labels) <= {-1, *range(400)}


def test_few_pictures():
    x, *_ = world(3, 2, 4)
    assert nearest(x, 50).indices.shape == (3, 3)
    assert jaccard_distances(x, k1=30, k2=6).shape == (3, 3) and (cluster(x[:1]).labels == -1).all()
    assert rerank(x[:1], x[1:]).shape == (1, 2)


# Faults -------------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('change, says', [
    (dict(pid=np.arange(5)), 'pid in f.npz has 5 entries, but there are 10'),
    (dict(camid=np.ones(10)), 'camid in f.npz should be a list of whole numbers; it is float64'),
    (dict(features=np.full((10, 4), np.nan, 'float32')), 'huge numbers in'),
    (dict(features=np.ones((10, 4), int)), 'should be a matrix of floats'),
    (dict(features=np.ones(10, 'float32')), 'should be a matrix of floats'),
    (dict(features=np.full((10, 4), 1e-20, 'float32')), 'is all but zero in'),
    (dict(split=np.array(['query'] * 10)), 'it says query. Or give two files'),
    (dict(split=np.array(['query', 'gallery'])), 'split in f.npz should have 10 entries'),
    (dict(pid=np.arange(10)), 'None of the 5 queries has a match'),
    (dict(camid=np.ones(10, int)), 'None of the 5 queries has a match'),
    (dict(pid=np.full(10, -1)), 'None of the 5 queries has a match'),
])
def test_faults_of_a_file_are_told(tmp_path, change, says):
    features, split = np.random.default_rng(0).normal(size=(10, 4)).astype('float32'), np.repeat(['query', 'gallery'], 5)
    good = dict(features=features, pid=np.arange(10) % 5, camid=np.arange(10) // 5, split=split)
    np.savez(tmp_path/'f.npz', **good)
    evaluate_file(tmp_path/'f.npz')
    np.savez(tmp_path/'f.npz', **good | change)
    with pytest.raises(ValueError, match=says): evaluate_file(tmp_path/'f.npz')


def test_two_files_of_two_models(tmp_path):
    for name, dim in (('q', 4), ('g', 5)):
        np.savez(tmp_path/f'{name}.npz', features=np.ones((2, dim), 'float32'), pid=[1, 2], camid=[1, 1])
    with pytest.raises(ValueError, match='Are they from one model'): evaluate_file(tmp_path/'q.npz', tmp_path/'g.npz')


def test_pickles_are_not_opened(tmp_path):
    np.savez(tmp_path/'f.npz', features=np.array([{}], dtype=object), pid=[1], camid=[1])
    with pytest.raises(ValueError, match='cannot be read as a NumPy archive'): evaluate_file(tmp_path/'f.npz')


MODULES = 'reid_nb.evaluation, reid_nb.neighbours, reid_nb.pseudo_labels, reid_nb.retrievals'
HEAVY = "('torch', 'faiss', 'sklearn', 'matplotlib', 'PIL')"

def test_heavy_libraries_wait_until_they_are_needed():
    assert python(f'import sys, {MODULES}; print(*[m for m in {HEAVY} if m in sys.modules])') == ''


def test_where_nothing_can_be_written():
    "An installation and a home that cannot be written: numba finds no place for compiled code, and the import must not mind."
    code = (f'import numba.core.caching as c; c.CacheImpl._locator_classes = []; import {MODULES}, numpy as np; '
            'print(*reid_nb.evaluation.rank_distances(np.ones((1, 2)), [1], [1], [1, 2], [2, 2])[0])')
    assert python(code) == '2'


# Memory -------------------------------------------------------------------------------------------------------------------------

MEMORY = '''
import numpy as np
from pathlib import Path
from reid_nb.evaluation import rank_distances, rank_features
from reid_nb.neighbours import jaccard_distances
from reid_nb.pseudo_labels import dbscan
r = np.random.default_rng(0)
n = 6000
pid, camid = r.integers(0, 300, n), r.integers(1, 5, n)
x = (r.normal(size=(300, 64))[pid] + r.normal(size=(n, 64))).astype('float32')
labels = pid[:2000], camid[:2000], pid[2000:], camid[2000:]
d = 2 - x[:2000] @ x[2000:].T
status = lambda key: next(int(l.split()[1]) / 1024 for l in open('/proc/self/status') if l.startswith(key))
def peak(call):
    call(); Path('/proc/self/clear_refs').write_text('5'); before = status('VmRSS'); call()
    return status('VmHWM') - before
J = jaccard_distances(x, within=.62)
print(peak(lambda: rank_distances(d, *labels)), peak(lambda: rank_features(x[:2000], x[2000:], *labels)),
      peak(lambda: jaccard_distances(x, within=.62)), peak(lambda: dbscan(J, [.58, .6, .62])))
'''

@pytest.mark.skipif(not os.access('/proc/self/clear_refs', os.W_OK), reason='the peak of memory cannot be reset on this system')
def test_memory_stays_far_below_a_matrix():
    ranks, features, jaccard, three = map(float, python(MEMORY).split())
    assert ranks < 10 and features < 60 and jaccard < 60 and three < 10 # MiB; n x n is 137


# A browser ----------------------------------------------------------------------------------------------------------------------

CLICKS = '''<script>addEventListener('load', async () => {
  const seen = {}, wait = ms => new Promise(r => setTimeout(r, ms)), $ = s => document.querySelector(s);
  const all = s => [...document.querySelectorAll(s)], numbers = s => all(s).map(b => +b.dataset.n);
  const shown = () => ({now: +$('#now').dataset.n, what: $('#what').textContent, trail: numbers('#trail button'),
                        list: all('#list button').map(b => [+b.dataset.n, b.className])});
  seen.start = shown(); seen.queries = all('#queries button').length; seen.title = document.title;
  all('#list button')[1].click(); await wait(50); seen.neighbours = shown();
  all('#list button')[0].click(); await wait(50); seen.further = shown();
  history.back(); await wait(300); seen.back = shown();
  $('#trail button').click(); await wait(50); seen.home = shown();
  location.hash = NOBODY_ASKED; await wait(300); seen.distractor = shown();
  $('#find').value = PERSON; $('#find').dispatchEvent(new Event('input')); seen.found = all('#queries button').length;
  all('#queries button')[0].click(); await wait(300); seen.person = $('#about b').textContent;
  const images = all('main img');
  seen.loaded = images.filter(i => i.complete && i.naturalWidth > 0).length; seen.images = images.length;
  const out = document.createElement('pre'); out.id = 'seen'; out.textContent = JSON.stringify(seen); document.body.append(out);
})</script>'''

@pytest.fixture(scope='module')
def browser():
    found = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)
    if found is None: pytest.skip('no Chromium on this machine')
    return found

def dom(browser, page, profile):
    "The page as the browser has it at the end."
    options = '--headless', '--no-sandbox', '--disable-gpu', '--virtual-time-budget=20000', f'--user-data-dir={profile}'
    return subprocess.run([browser, *options, '--dump-dom', page.as_uri()], capture_output=True, text=True, timeout=120)

def test_clicking_through_the_page(browser, tmp_path):
    records = draw_people(tmp_path/"it's <b> 100%", ids=12, cameras=3, per_camera=2)
    records = records[records.split != 'train'].reset_index(drop=True)
    person, gallery = int(records.pid[0]), np.flatnonzero(records.split == 'gallery')
    distractors = gallery[records.pid[gallery] > records.pid.median()]
    records.loc[distractors, 'pid'] = 0                             # as Market-1501 numbers whoever is nobody in particular
    features = np.stack([colour_histogram(i) for i in records.image])
    title = 'A DATA <b> & </script>, RIGHT or WRONG'
    page = write_retrieval_html(tmp_path/'page'/'index.html', features, records, k=4, metric='cosine', title=title)
    clicks = CLICKS.replace('PERSON', f"'{person}'").replace('NOBODY_ASKED', f"'{distractors[0]}'")
    (page.parent/'test.html').write_text(page.read_text() + clicks)
    done = dom(browser, page.parent/'test.html', tmp_path/'profile')
    assert '<pre id="seen">' in done.stdout, done.stderr[-2000:]
    seen = json.loads(html.unescape(done.stdout.split('<pre id="seen">')[1].split('</pre>')[0]))
    _, scores = evaluate(features, records, 'cosine')
    assert seen['start']['now'] == scores.ap.idxmin() and seen['queries'] == len(scores) and seen['title'] == title
    assert seen['start']['what'] == 'Ranked list'
    query = records.loc[seen['start']['now']]
    for n, frame in seen['start']['list']:
        assert frame == ('right' if records.pid[n] == query.pid else 'wrong')
        assert not (records.pid[n] == query.pid and records.camid[n] == query.camid)
    second = seen['start']['list'][1][0]
    near = gallery[nearest(features[gallery], 5).indices[:, 1:]]
    neighbours = lambda n: near[list(gallery).index(n)].tolist()
    assert seen['neighbours']['now'] == second and seen['neighbours']['what'] == 'Nearest in the gallery'
    assert seen['neighbours']['trail'] == [query.name]
    assert [n for n, _ in seen['neighbours']['list']] == neighbours(second)
    first = neighbours(second)[0]
    assert seen['further']['now'] == first and seen['further']['trail'] == [query.name, second]
    assert seen['back'] == seen['neighbours'] and seen['home'] == seen['start']
    frames = {n: frame for n, frame in seen['distractor']['list']}
    assert list(frames) == neighbours(distractors[0]) and 'right' not in frames.values()
    assert all((frame == 'nobody') == (n in distractors) for n, frame in frames.items()) and 'nobody' in frames.values()
    assert seen['found'] == (records.pid[records.split == 'query'] == person).sum() and seen['person'] == f'person {person}'
    assert seen['loaded'] == seen['images'] > 4


# The real thing -----------------------------------------------------------------------------------------------------------------

def test_colours_on_the_real_market1501(market1501):
    "rank-1 21.8 and mAP 7.6 were measured by others for a colour histogram in eight stripes."
    records = market1501[market1501.split != 'train'].reset_index(drop=True)
    with ThreadPoolExecutor() as pool: features = np.stack(list(pool.map(colour_histogram, records.image)))
    summary, scores = evaluate(features, records, 'cosine')
    assert summary['queries'] == 3368 and summary['unanswered'] == 0
    assert abs(summary['rank-1'] - .218) < .01 and abs(summary['mAP'] - .076) < .005
