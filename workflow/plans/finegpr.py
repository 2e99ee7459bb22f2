"""The runs behind the tables and figures of the FineGPR paper.

So far: what colours alone score on the targets that REID_DATA holds. To come: trainings on our plans of the datasets, parts chosen
by attribute optimization, style transfer, Frechet distances. Their runs carry the labels that the paper's tables use (training_set,
target, seed). Until then no run stands behind Tables 2 and 3; Table 1 and Figures 2, 3 and 5 are made by the page itself."""
from reid_nb.plans import Run, real_dataset

TARGETS = ('market1501', 'dukemtmc', 'cuhk03')
READS = ('data/reported/finegpr.csv', 'data/reported/datasets.csv', 'data/claims/finegpr.toml')
ARTIFACTS = dict(table1=[], table2=[], table3=[], fig2=[], fig3=[], fig5=[], floor=['colours-*'])


def runs(profile, targets, seeds):
    "Reading a dataset and describing its colours leave nothing to chance or size: the same runs for all profiles and seeds."
    found = {}
    for target in targets:
        if (real := real_dataset(target)) is None: continue
        found[target] = Run('stages/read', real)
        found[f'colours-{target}'] = Run('stages/evaluate_histogram', {}, dict(dataset=target),
                                         labels=dict(training_set='nothing', target=target, seed=0))
    return found
