"The runs of the page on drawn people: what colours alone find, with and without the cameras' own colours."
from reid_nb.plans import Run

TARGETS = ('drawn',)
ARTIFACTS = dict(cameras=['plain-*', 'centred-*'], claims=['plain-*', 'centred-*'])
READS = ('data/claims/drawn.toml',)
SIZES = dict(smoke=(12, (2, 4)), mini=(48, (2, 4, 6)), gpu=(48, (2, 4, 6)), paper=(48, (2, 4, 6))) # people; cameras


def runs(profile, targets, seeds):
    ids, sizes = SIZES[profile]
    found = {}
    for cameras in sizes:
        for seed in range(seeds):
            found[f'draw-{cameras}-{seed}'] = Run('stages/draw', dict(ids=ids, cameras=cameras, per_camera=2, seed=seed))
            for centre in (False, True):
                method = 'centred' if centre else 'plain'
                labels = dict(training_set='', target='drawn', cameras=cameras, seed=seed, method=method)
                found[f'{method}-{cameras}-{seed}'] = Run('stages/evaluate_histogram', dict(centre=centre),
                                                          dict(dataset=f'draw-{cameras}-{seed}'), labels)
    return found
