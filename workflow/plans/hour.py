"""The runs of the page that trains on rendered people for an hour and tests on real ones.

Everything is chosen on half of the target's training people (`held`); its test set is looked at by the final models alone.
Without Market-1501 in REID_DATA the same is done in small, on its stand-in."""
from reid_nb.plans import Run, real_dataset

TARGETS = ('market1501',)
READS = ('data/reported/finegpr.csv',)
ARTIFACTS = dict(looks=['street', 'target'], table=['colours', 'final-*'], time=['final-*'], choices=['choice-*'], curves=['curve-*'])

NORMS = ('as trained', 'of the target', 'of each camera')
FINAL = dict(epochs=6)
SHORT = dict(epochs=1, steps=300, warmup=.1) # of a trial
CHOICES = dict(
    lr={'0.00035': dict(lr=3.5e-4), '0.001': dict(lr=1e-3), '0.002': {}, '0.004': dict(lr=4e-3)},
    frozen={'0': dict(frozen=0), '4': dict(frozen=4), '7': {}, '11': dict(frozen=11)},
    augmentation={'none': dict(augmentation='none'), 'flip': dict(augmentation='finegpr'), 'shift': {},
                  'bag_of_tricks': dict(augmentation='bag_of_tricks')},
    triplet={'without': dict(triplet=0.), 'with': {}})
USUAL = dict(people=1000) # of a curve: what is not varied
CURVES = dict(
    people={'250': dict(people=250), '500': dict(people=500), '1000': {}, '2000': dict(people=2000), '4000': dict(people=4000)},
    images={'2': dict(each=2), '4': dict(each=4), '14': {}},
    cameras={'1': dict(cameras=1), '2': dict(cameras=2), '4': {}},
    weather={'all': {}, 'sunny only': dict(query="weather == 'sunny'")},
    hours={'all': {}, 'by day only': dict(query="illumination in ['forenoon', 'noon', 'afternoon']")},
    occlusion={'all': {}, 'nobody hidden': dict(query='visible > .95')},
    clothes={'all': {}, 'of one colour only': dict(query="pattern == 'plain'")},
    things={'all': {}, 'nothing carried': dict(query='backpack + shoulder_bag + handbag + umbrella == 0')},
    rendered={'64 x 32': dict(size=(64, 32)), '128 x 64': dict(size=(128, 64)), '256 x 128': dict(size=(256, 128))})


def runs(profile, targets, seeds):
    real = real_dataset('market1501')
    small = dict(smoke=.004, mini=.02).get(profile, .1) # share of the people
    length = FINAL if real else dict(epochs=1)
    found = dict(street=Run('stages/render', dict(spec='street', scale=1. if real else small), labels=_labels('render')),
                 target=Run('stages/read', real, labels=_labels('target')) if real else
                 Run('stages/render', dict(spec='market1501', scale=small), labels=_labels('target')))
    found['colours'] = Run('stages/evaluate_histogram', {}, dict(dataset='target'), _labels('colours', 'market1501'))
    for seed in range(seeds):
        found |= _model(f'model-{seed}', 'street', length, seed)
        for norms in NORMS:
            found[f'final-{seed}-{norms}'] = Run('stages/evaluate', dict(norms=norms), dict(model=f'model-{seed}', dataset='target'),
                                                 _labels(norms, 'market1501', seed))
    return found | (_trials() if real and profile != 'smoke' else {})


def _labels(method, target='', seed=0, trial='', what='', choice=''):
    trained = 'nothing' if method in ('colours', 'target') else 'street'
    return dict(training_set=trained, target=target, method=method, seed=seed, trial=trial, what=what, choice=choice)


def _model(name, dataset, settings, seed, **trial):
    return {name: Run('stages/train', dict(config='hour', settings=settings, seed=seed), dict(dataset=dataset),
                      _labels('train', seed=seed, **trial))}


def _trials():
    "Short trainings, one thing changed at a time, with one seed; equal ones are the same run."
    found = dict(held=Run('stages/hold_out', inputs=dict(dataset='target')))
    both = [('choice', what, value, SHORT | c, USUAL) for what, values in CHOICES.items() for value, c in values.items()]
    both += [('curve', what, value, SHORT, USUAL | c) for what, values in CURVES.items() for value, c in values.items()]
    for trial, what, value, settings, part in both:
        part, dataset = dict(part), 'street'
        if size := part.pop('size', None): # the plan's first thousand people, rendered as small or large as that
            dataset = f'street-{value}'
            found[dataset] = Run('stages/render', dict(spec='street', scale=.125, height=size[0], width=size[1]))
        found[f'part-{trial}-{what}-{value}'] = Run('stages/select', part, dict(dataset=dataset))
        name, about = f'{trial}-{what}-{value}', dict(trial=trial, what=what, choice=value)
        found |= _model(f'model-{name}', f'part-{name}', settings, 0, **about)
        found[name] = Run('stages/evaluate', {}, dict(model=f'model-{name}', dataset='held'),
                          _labels('as trained', 'market1501', **about))
    return found
