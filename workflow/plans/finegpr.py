"""The runs behind the tables and figures of the FineGPR paper.

Each training set of Table 2 is rendered by our plan of it, with a share of its people, and trained on for equally many
steps; each target is the real one where REID_DATA holds it, else its stand-in. Table 3 adds parts of FineGPR's plan: as many
images of each person, drawn at random, chosen for the target, and chosen and translated by one SPGAN, which was trained on
the stand-in of MSCO. Where the number of steps is fixed, the whole of FineGPR is also trained on for twice as many,
with the first seed. Generators and distances have one seed.
Figures 7 and 9 have six style transfers: three methods, trained on a target of low and one of high resolution."""
from collections import namedtuple

from reid_nb.plans import Run, real_dataset

TARGETS = ('market1501', 'dukemtmc', 'cuhk03')
READS = ('data/reported/finegpr.csv', 'data/reported/datasets.csv', 'data/claims/finegpr.toml')
CHAIN = ['finegpr', 'market1501', 'msco', 'chosen-ao-market1501-0', 'style-spgan-high', 'chosen-aost-market1501-0',
         'model-finegpr+aost-market1501-0', 'score-finegpr+aost-market1501-0']
PARTS = ['score-finegpr*', 'chosen-*', 'finegpr', 'style-spgan-high', 'market1501', 'dukemtmc', 'cuhk03']
ARTIFACTS = {'table1': [], 'table2': ['score-*'], 'table3': PARTS, 'table3-time': PARTS,
             'fig1': CHAIN, 'fig2': [], 'fig3': [], 'fig4': CHAIN, 'fig5': [], 'fig6': ['chosen-ao-*'],
             'fig7': ['source', 'translated-*'], 'fig8': ['near-*'], 'fig9': ['distance-*', 'near-finegpr-market1501'],
             'floor': ['colours-*']}

PLANS = dict(somaset='somaset', syri='syri', unrealperson='unreal', personx='personx', randperson='randperson')
RESOLUTIONS = dict(low='market1501', high='msco')
TRANSFERS = [(method, resolution) for method in ('cyclegan', 'ptgan', 'spgan') for resolution in RESOLUTIONS]

# targets, other training sets and style transfers; share of the people of a set; images of each of FineGPR, and how many of them
# are chosen; images of each person elsewhere (0: all), if not set by set; sets of which nobody is left out; configuration of the
# training, and what is changed in it; the same of style transfers; images of a Frechet distance
Sizes = namedtuple('Sizes', 'targets plans transfers share finegpr chosen each own whole config settings style distance')
ALL = (TARGETS, tuple(PLANS), TRANSFERS)
SIZES = dict(
    smoke=Sizes(TARGETS[:1], ('personx',), [('ptgan', 'low'), ('spgan', 'high')], .01, 8, 2, 4, {}, (), 'hour',
                dict(epochs=1, steps=2, warmup=.1, P=2), dict(steps=2), 20),
    mini=Sizes(*ALL, .2, 98, 6, 16, dict(somaset=80, syri=40, randperson=8), ('somaset', 'syri'), 'hour',
               dict(epochs=1, steps=150, warmup=.1), dict(height=128, width=64, steps=300), 1300),
    gpu=Sizes(*ALL, 1., 0, 108, 0, {}, (), 'finegpr', dict(epochs=20, milestones=(7, 12)), {}, 10_000),
    paper=Sizes(*ALL, 1., 0, 108, 0, {}, (), 'finegpr', {}, {}, 10_000))


def runs(profile, targets, seeds):
    s, found = SIZES[profile], {}
    targets = [t for t in targets if t in s.targets] or targets[:1]
    for t in dict.fromkeys(['market1501', *targets]): found[t] = _target(s, t)
    for t in targets:
        about = dict(training_set='nothing', target=t, seed=0)
        found[f'colours-{t}'] = Run('stages/evaluate_histogram', {}, dict(dataset=t), about)
    found['finegpr'] = _rendered('finegpr', 'finegpr', s.share, s.finegpr)
    for name in s.plans: found[name] = _rendered(name, PLANS[name], 1. if name in s.whole else s.share, s.own.get(name, s.each))
    found |= _styles(s)
    for seed in range(seeds):
        for name in ('finegpr', *s.plans, *targets): found |= _train(s, name, name, targets, seed)
        found |= _parts(s, targets, seed)
    return found


def _target(s, name):
    real, label = real_dataset(name), dict(role='target', of=name, seed=0)
    return Run('stages/read', real, labels=label) if real else Run('stages/render', dict(spec=name, scale=s.share), labels=label)


def _rendered(name, spec, share, each):
    return Run('stages/render', dict(spec=spec, scale=share, each=each), labels=dict(training_set=name, target='', seed=0))


def _styles(s):
    "Generators, what they make of the same images, and how far that is from Market-1501."
    few = dict(spec='finegpr', scale=s.share, each=s.chosen, masks=True)
    sharp = dict(spec='msco', scale=s.share / 10, height=256, width=128)
    found = dict(msco=Run('stages/render', sharp, labels=dict(role='msco', seed=0)),
                 source=Run('stages/render', few, labels=dict(role='source', seed=0)))
    for method, resolution in s.transfers:
        name, about = f'{method}-{resolution}', dict(translation=method, resolution=resolution, seed=0)
        found[f'style-{name}'] = Run('stages/style', dict(config=method, settings=s.style, small='steps' in s.style),
                                     dict(source='source', target=RESOLUTIONS[resolution]), about | dict(role='style'))
        found[f'translated-{name}'] = Run('stages/translate', {}, dict(dataset='source', style=f'style-{name}'),
                                          about | dict(role='translated'))
        found[f'distance-{name}'] = Run('stages/frechet', dict(images=s.distance),
                                        dict(dataset=f'translated-{name}', target='market1501'), about | dict(role='distance'))
    return found


def _parts(s, targets, seed):
    "What is chosen from FineGPR's plan, for nobody and for each target, and trained on; for the first seed, how near it is."
    choose = lambda method, target: Run('stages/choose', dict(method=method, per_identity=s.chosen, seed=seed),
                                        dict(dataset='finegpr', target=target))
    label = lambda name, t: dict(role='chosen', training_set=f'finegpr+{name}', target='', seed=seed, of=t)
    anyhow = f'chosen-random-{seed}'
    found = {anyhow: choose('random', 'market1501')._replace(labels=label('random', ''))}
    found |= _train(s, 'finegpr+random', anyhow, targets, seed)
    if 'steps' in s.settings and seed == 0: found |= _train(s, 'finegpr+longer', 'finegpr', targets, seed, longer=2)
    for t in targets:
        ao, aost = f'chosen-ao-{t}-{seed}', f'chosen-aost-{t}-{seed}'
        found[ao] = choose('herding', t)._replace(labels=label('ao', t))
        found[aost] = Run('stages/translate', {}, dict(dataset=ao, style='style-spgan-high'), label('aost', t))
        for name, part in (('finegpr+ao', ao), ('finegpr+aost', aost)): found |= _train(s, name, part, [t], seed, t)
        for name, part in (('finegpr', 'finegpr'), ('finegpr+ao', ao), ('finegpr+aost', aost)):
            if seed == 0:
                found[f'near-{name}-{t}'] = Run('stages/frechet', dict(images=s.distance), dict(dataset=part, target=t),
                                                dict(role='distance', training_set=name, target=t, seed=0))
    return found


def _train(s, name, dataset, targets, seed, part='', longer=1):
    "One training, and its scores on the targets. `part` tells apart what was chosen for one target and for another."
    model = '-'.join(['model', name, *[part] * bool(part), str(seed)])
    settings = s.settings if longer == 1 else s.settings | dict(steps=longer * s.settings['steps'])
    found = {model: Run('stages/train', dict(config=s.config, settings=settings, seed=seed), dict(dataset=dataset),
                        dict(role='model', trained=name, of=part, seed=seed))}
    for t in targets:
        about = dict(training_set=name, target=t, seed=seed)
        found[f'score-{name}-{t}-{seed}'] = Run('stages/evaluate', {}, dict(model=model, dataset=t), about)
    return found
