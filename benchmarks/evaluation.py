"""Time and memory of the evaluator, the neighbours and the pseudo labels, beside plain references.

    python benchmarks/evaluation.py                     # every case that fits a few minutes, writes benchmarks/evaluation.md
    python benchmarks/evaluation.py jaccard-12936 ours  # one run of one side: seconds and MiB

Each run is a process of its own. Inputs are made, the code is called once on a small part of them (so that compiled code is
there), the peak of the process's memory is reset, and then the call is timed. Memory is the peak above what inputs and
imports took. Linux only. Each side runs `REPEATS` times and the best time is reported, for other work on the machine only
ever adds to it. References: scikit-learn, NumPy, and torchreid from the package index where it is installed (its wheel has
no compiled code, so it is its NumPy path)."""
import argparse, importlib.util, json, os, subprocess, sys, time
from pathlib import Path

for library in ('OMP', 'NUMBA', 'OPENBLAS'): os.environ.setdefault(f'{library}_NUM_THREADS', '2')
import numpy as np

HERE, REPEATS = Path(__file__).parent, 3

# Inputs -------------------------------------------------------------------------------------------------------------------------

def features(who, camid, noise, dim=2048, seed=0):
    """Like a network's pooled features: not negative, with a person, a camera and a picture part that lie in 128 dimensions,
    and a little noise in all."""
    r = np.random.default_rng(seed)
    person, camera, spread = (r.standard_normal((n, 128), dtype=np.float32) for n in (who.max() + 1, 16, 128))
    project = np.random.default_rng(99).standard_normal((128, dim), dtype=np.float32) / 11.3
    out = np.empty((len(who), dim), np.float32)
    for a in range(0, len(who), 8192):
        b = slice(a, a + 8192)
        latent = person[who[b]] + noise * (.5 * camera[camid[b]] + r.standard_normal((len(who[b]), 128), dtype=np.float32))
        out[b] = np.maximum(latent @ project + .2 * r.standard_normal((len(latent), dim), dtype=np.float32), 0)
    return out

def market(noise, seed=0):
    "Queries and gallery of Market-1501's sizes: 3,368 and 15,913, of which 2,798 distractors."
    r = np.random.default_rng(seed)
    gp = np.r_[np.zeros(2798, int), r.integers(1, 751, 15913 - 2798)]
    qp, qc, gc = r.integers(1, 751, 3368), r.integers(1, 7, 3368), r.integers(1, 7, 15913)
    person = np.where(gp == 0, 751 + np.arange(15913) % 700, gp)                # distractors are people too
    x = features(np.r_[qp, person], np.r_[qc, gc], noise)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return x[:3368].copy(), x[3368:].copy(), (qp, qc, gp, gc)

def matrix(q, g):
    d = q @ g.T
    d *= -2; d += 2
    return d

def train(n, people, noise=1.2):
    r = np.random.default_rng(0)
    x = features(r.integers(0, people, n), r.integers(0, 6, n), noise)
    for a in range(0, n, 8192): x[a:a + 8192] /= np.linalg.norm(x[a:a + 8192], axis=1, keepdims=True)
    return x

# References ---------------------------------------------------------------------------------------------------------------------

def torchreid(path):
    "One file of torchreid, without importing the package (which asks for OpenCV)."
    spec = importlib.util.find_spec('torchreid')
    if spec is None: sys.exit('torchreid is not installed')
    spec = importlib.util.spec_from_file_location('part', Path(spec.submodule_search_locations[0])/path)
    module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module)
    return module

def numpy_rank(d, qp, qc, gp, gc):
    "CMC and mAP as most code writes them: sort every row."
    order, aps = np.argsort(d, axis=1), []
    for i in range(len(d)):
        o = order[i]
        o = o[~((gp[o] == qp[i]) & (gc[o] == qc[i]))]
        hit = np.flatnonzero(gp[o] == qp[i])
        if len(hit): aps.append(np.mean(np.arange(1, len(hit) + 1) / (hit + 1)))
    return float(np.mean(aps))

def numpy_jaccard(x, k1=30, k2=6):
    "The k-reciprocal Jaccard distance with n x n matrices."
    d = matrix(x, x); d /= d.max(1, keepdims=True)
    rank = np.argsort(d, axis=1)[:, :max(k1 + 1, k2)]
    mutual = lambda k: [r[(rank[r, :k] == i).any(1)] for i, r in enumerate(rank[:, :k])]
    first, half, V = mutual(k1 + 1), mutual(k1 // 2 + 1), np.zeros_like(d)
    for i, mine in enumerate(first):
        more = [half[c] for c in mine if np.isin(half[c], mine).sum() > 2 / 3 * len(half[c])]
        j = np.unique(np.concatenate([mine, *more]))
        V[i, j] = np.exp(-d[i, j]); V[i] /= V[i].sum()
    V = np.stack([V[r].mean(0) for r in rank[:, :k2]])
    columns = [np.flatnonzero(c) for c in np.ascontiguousarray(V.T)]
    for i in range(len(V)):
        s = np.zeros(len(V), np.float32)
        for c in np.flatnonzero(V[i]): s[columns[c]] += np.minimum(V[i, c], V[columns[c], c])
        d[i] = 1 - s / (2 - s)
    return d

def numpy_criteria(a, b):
    a, b = (np.where(l < 0, np.arange(len(l)) + 10**6, l) for l in (a, b))
    A, B = (np.equal(l[:, None], l).astype(np.float32) for l in (a, b))
    return np.minimum(A, B).sum(1) / np.maximum(A, B).sum(1)

# Cases: name -> (what it is, input, part for warming up, {side: call}) ----------------------------------------------------------

def rank_case(noise):
    def inputs():
        q, g, labels = market(noise)
        return matrix(q, g), labels
    def ours(d, labels):
        from reid_nb.evaluation import rank_distances, score_queries, summarize
        return summarize(score_queries(*rank_distances(d, *labels)))['mAP']
    def from_torchreid(d, labels):
        rank = torchreid('reid/metrics/rank.py')
        return float(rank.evaluate_rank(d, labels[0], labels[2], labels[1], labels[3], use_cython=False)[1])
    part = lambda d, l: (d[:50], (l[0][:50], l[1][:50], *l[2:]))
    return inputs, part, dict(ours=ours, numpy=lambda d, l: numpy_rank(d, *l), torchreid=from_torchreid)

def feature_case(noise):
    def ours(q, g, labels):
        from reid_nb.evaluation import rank_features, score_queries, summarize
        return summarize(score_queries(*rank_features(q, g, *labels)))['mAP']
    part = lambda q, g, l: (q[:50], g, (l[0][:50], l[1][:50], *l[2:]))
    return lambda: market(noise), part, dict(ours=ours, numpy=lambda q, g, l: numpy_rank(matrix(q, g), *l))

def jaccard_case(n, people, within=.62, **sides):
    def ours(x):
        from reid_nb.neighbours import jaccard_distances
        return jaccard_distances(x, 30, 6, within=within).nnz / len(x)
    return lambda: (train(n, people),), lambda x: (x[:500],), dict(ours=ours, **sides)

def approximate_case(n, people):
    def ours(x):
        from reid_nb.neighbours import jaccard_distances, nearest_approximately
        near, recall = nearest_approximately(x, 31)
        jaccard_distances(x, 30, 6, within=.62, neighbours=near)
        return recall
    return lambda: (train(n, people),), lambda x: (x[:5000],), dict(ours=ours)

def dbscan_case(n, people):
    def inputs():
        from reid_nb.neighbours import jaccard_distances
        J = jaccard_distances(train(n, people), within=.62)
        dense = np.ones(J.shape, np.float32)
        dense[np.repeat(np.arange(n), np.diff(J.indptr)), J.indices] = J.data
        return J, dense
    def ours(J, dense):
        from reid_nb.pseudo_labels import dbscan
        return [int(l.max()) + 1 for l in dbscan(J, [.6, .58, .62])]
    def sklearn(J, dense):
        from sklearn.cluster import DBSCAN
        label = lambda e: DBSCAN(eps=e, min_samples=4, metric='precomputed', n_jobs=-1).fit_predict(dense)
        return [int(label(e).max()) + 1 for e in (.6, .58, .62)]
    return inputs, lambda J, dense: (J[:500, :500], dense[:500, :500]), dict(ours=ours, sklearn=sklearn)

def criteria_case(n):
    def inputs():
        r = np.random.default_rng(0)
        labels = r.integers(-1, n // 17, n)
        return [labels] + [np.where(r.random(n) < .05, r.integers(-1, n // 17, n), labels) for _ in range(2)]
    def ours(*three):
        from reid_nb.pseudo_labels import Clusterings, agreement, select_reliable
        return float(agreement(three[0], three[1]).mean() + 0 * select_reliable(Clusterings(*three))[1])
    def numpy(a, b, c): return float((numpy_criteria(a, b) + 0 * numpy_criteria(a, c)).mean())
    return inputs, lambda *l: [x[:200] for x in l], dict(ours=ours, numpy=numpy)

def rerank_case():
    def inputs():
        q, g, _ = market(1.)
        return q, g
    def ours(q, g):
        from reid_nb.neighbours import rerank
        return float(rerank(q, g).mean())
    def from_torchreid(q, g):
        distances = [np.sqrt(np.maximum(matrix(a, b), 0)) for a, b in ((q, g), (q, q), (g, g))]
        return float(torchreid('reid/utils/rerank.py').re_ranking(*distances).mean())
    return inputs, lambda q, g: (q[:100], g[:400]), dict(ours=ours, torchreid=from_torchreid)

CASES = {
    'rank-easy': ('CMC and mAP from a matrix, 3,368 x 15,913, features of mAP 100%', rank_case(.5)),
    'rank-hard': ('the same, features of mAP 8%', rank_case(1.57)),
    'features-easy': ('the same from features, mAP 100%', feature_case(.5)),
    'features-hard': ('the same from features, mAP 8%', feature_case(1.57)),
    'rerank': ('re-ranking, 3,368 x 15,913', rerank_case()),
    'jaccard-12936': ('Jaccard distance within .62, n = 12,936',
                      jaccard_case(12936, 751, numpy=lambda x: numpy_jaccard(x).shape[0])),
    'jaccard-12936-all': ('Jaccard distance, every pair that shares something, n = 12,936', jaccard_case(12936, 751, 1.)),
    'jaccard-32621': ('Jaccard distance within .62, n = 32,621', jaccard_case(32621, 1041)),
    'jaccard-132145': ('Jaccard distance within .62, n = 132,145', jaccard_case(132145, 8000)),
    'jaccard-132145-approximate': ('the same with approximate neighbours', approximate_case(132145, 8000)),
    'dbscan': ('three DBSCAN passes, n = 12,936', dbscan_case(12936, 751)),
    'criteria': ('self-paced cluster criteria, n = 12,936', criteria_case(12936)),
}
ONCE = {('jaccard-12936', 'numpy'), ('rerank', 'torchreid'), ('rank-easy', 'torchreid'), ('rank-hard', 'torchreid'),
        ('jaccard-132145', 'ours'), ('jaccard-132145-approximate', 'ours'), ('jaccard-32621', 'ours')}
LONG = {'jaccard-132145', 'jaccard-132145-approximate'}

# Measuring ----------------------------------------------------------------------------------------------------------------------

def status(key): return next(int(l.split()[1]) / 1024 for l in open('/proc/self/status') if l.startswith(key)) # MiB

def measure(name, side):
    _, (inputs, part, sides) = CASES[name]
    given = inputs()
    sides[side](*part(*given))
    Path('/proc/self/clear_refs').write_text('5') # peak = now
    before, began = status('VmRSS'), time.perf_counter()
    answer = sides[side](*given)
    return dict(seconds=time.perf_counter() - began, mib=status('VmHWM') - before, answer=answer)

def run(name, side):
    done = subprocess.run([sys.executable, __file__, name, side], capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else dict(error=done.stderr.strip().splitlines()[-1])

def table(results):
    yield '| work | by | seconds | MiB | answer |\n|---|---|---:|---:|---|'
    for (name, side), r in results.items():
        if 'error' in r: yield f"| {CASES[name][0]} | {side} | | | not run: {r['error']} |"
        else:
            answer = round(r['answer'], 4) if isinstance(r['answer'], float) else r['answer']
            yield f"| {CASES[name][0]} | {side} | {r['seconds']:.3g} | {r['mib']:,.0f} | {answer} |"

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('case', nargs='?', choices=list(CASES)); p.add_argument('side', nargs='?')
    p.add_argument('--long', action='store_true', help='also the cases of many minutes')
    a = p.parse_args()
    if a.side: print(json.dumps(measure(a.case, a.side), default=float)); return
    kept = HERE/'evaluation.json'
    results = {tuple(k.split('/')): v for k, v in json.loads(kept.read_text()).items()} if kept.is_file() else {}
    for name in [a.case] if a.case else [c for c in CASES if a.long or c not in LONG]:
        for side in CASES[name][1][2]:
            runs = [run(name, side) for _ in range(1 if (name, side) in ONCE else REPEATS)]
            results[name, side] = min(runs, key=lambda r: r.get('seconds', 1e9))
            print(*list(table({(name, side): results[name, side]}))[1:], flush=True)
            kept.write_text(json.dumps({'/'.join(k): v for k, v in results.items()}, indent=1))
    order = {k: v for name in CASES for k, v in results.items() if k[0] == name}
    title = '# Evaluation, neighbours, pseudo labels'
    how = 'Written by `python benchmarks/evaluation.py`; what is measured, and how, stands at its top.'
    (HERE/'evaluation.md').write_text('\n\n'.join([title, how, '\n'.join(table(order))]) + '\n')

if __name__ == '__main__': main()
