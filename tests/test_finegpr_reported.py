"FineGPR's numbers: hand-picked values, counts, what the text derives from the tables, and where it contradicts itself."
import csv, itertools

import pytest

from conftest import ROOT

def read(file):
    with open(ROOT/file, newline='', encoding='utf-8') as f: return list(csv.DictReader(f))


ROWS = read('data/reported/finegpr.csv')
ERRATA = {r['what']: r for r in read('figures/finegpr/errata.csv')} # made by the page; test_reproduce compares it with what the page makes
TARGETS = ('market1501', 'dukemtmc', 'cuhk03')


def get(where, training, target, metric):
    at = ('where', 'training_set', 'target', 'metric')
    (found,) = [float(r['value']) for r in ROWS if [r[k] for k in at] == [where, training, target, metric]]
    return found


@pytest.mark.parametrize('where, training, target, metric, value', [
    ('Table 1', 'syri', '', 'cameras', 280), ('Table 1', 'syri', '', 'illuminations', 140),
    ('Table 1', 'finegpr', '', 'scenes', 9), ('Table 1', 'msmt17', '', 'images', 126_441),
    ('Table 1', 'cuhk03', '', 'id attributes', 0), ('Table 1', 'finegpr', '', 'id attributes', 1),
    ('Table 2', 'market1501', 'market1501', 'mAP', 81.4), ('Table 2', 'cuhk03', 'dukemtmc', 'rank-5', 25.8),
    ('Table 2', 'unrealperson', 'cuhk03', 'rank-5', 10.0), ('Table 2', 'somaset', 'cuhk03', 'mAP', .4),
    ('Table 2', 'personx', 'dukemtmc', 'rank-1', 35.4), ('Experiment Settings', 'settings', '', 'alpha', .9),
    ('Table 2', 'finegpr+aost', 'dukemtmc', 'rank-5', 54.8), ('Table 3', 'finegpr+random', 'cuhk03', 'rank-5', 15.4),
    ('Table 3', 'finegpr+ao', 'market1501', 'rank-5', 63.2), ('Table 3', 'finegpr+ao', '', 'training time', 1.3)])
def test_hand_picked(where, training, target, metric, value): assert get(where, training, target, metric) == value


def test_totals():
    count = lambda where, **having: sum(r['where'] == where and all(r[k] == v for k, v in having.items()) for r in ROWS)
    assert [count(f'Table {n}') for n in (1, 2, 3)] == [47, 78, 44] and len(ROWS) == 254
    assert count('Table 2', quoted_from='RandPerson') == 24 # four systems, two metrics, three targets
    assert count('Table 2', metric='rank-5') == 18 and count('Table 2', metric='rank-1') == count('Table 2', metric='mAP') == 30
    sums = {t: round(sum(float(r['value']) for r in ROWS if r['where'] == 'Table 2' and r['target'] == t), 1) for t in TARGETS}
    assert sums == {'market1501': 1096.3, 'dukemtmc': 830.0, 'cuhk03': 340.1}


def test_the_tables_agree_with_each_other():
    for training in ('finegpr', 'finegpr+aost'):
        for cell in itertools.product([training], TARGETS, ('rank-1', 'rank-5', 'mAP')):
            assert get('Table 2', *cell) == get('Table 3', *cell)
    rows = [r for r in read('data/reported/datasets.csv') if (r['paper'], r['where']) == ('finegpr', 'Table 1')] # it stands there too
    other = {(r['dataset'], r['what']): float(r['value']) for r in rows}
    assert len(other) == 34 and all(get('Table 1', d, '', what) == v for (d, what), v in other.items())


def test_the_text_agrees_with_the_tables():
    ao, sota = 'Effectiveness of attribute optimization', 'Comparison with the State-of-the-arts'
    gain = lambda table, a, b, target: round(get(table, a, target, 'rank-1') - get(table, b, target, 'rank-1'), 1)
    stated = [(ao, 'Table 3', 'finegpr+ao', 'finegpr+random', t) for t in TARGETS]
    stated += [(sota, 'Table 2', 'finegpr+aost', 'randperson', t) for t in ('market1501', 'cuhk03')]
    stated += [(sota, 'Table 2', 'finegpr', other, 'market1501') for other in ('dukemtmc', 'cuhk03')]
    for where, table, a, b, t in stated: assert get(where, f'{a} - {b}', t, 'rank-1') == gain(table, a, b, t)
    prop = lambda metric: get('Properties', 'finegpr', '', metric)
    assert prop('images per viewpoint of an identity') == prop('weathers') * prop('illuminations') == 49
    assert prop('images per identity') * prop('ids') == get('Table 1', 'finegpr', '', 'images') == 2_028_600
    assert sum(float(r['value']) for r in ROWS if r['metric'].startswith('hours of')) == 24


def test_errata():
    "What the page lists as contradictions, recomputed from the reported numbers alone."
    at = 'Datasets and Evaluation'
    time = lambda training: get('Table 3', training, '', 'training time')
    cells = list(itertools.product(TARGETS, ('rank-1', 'rank-5', 'mAP')))
    worse = sum(get('Table 3', 'finegpr', *c) < get('Table 3', 'finegpr+ao', *c) for c in cells)
    again = { # what: stated, recomputed
        'CUHK03, training + test': (get('Table 1', 'cuhk03', '', 'images'),
                                    get(at, 'cuhk03', '', 'training images') + get(at, 'cuhk03', '', 'test images')),
        'images of RandPerson': (get('Table 1', 'randperson', '', 'images'), get('Effectiveness of style transfer', 'randperson', '', 'images')),
        'environment attributes, more than': (get('Properties', 'finegpr', '', 'environment attributes, more than'), 4), # four are named
        'cameras of SyRI': (get('Table 1', 'syri', '', 'cameras'), 0), # "does not have concept of cameras"
        'numbers of Table 3 at which all of FineGPR is worse than its part': (len(cells), worse),
        'non-overlapping cameras that see a person at once': (get('Dataset Collection', 'finegpr', '', 'cameras'), 1),
        'test images of Market-1501': (get(at, 'market1501', '', 'test images'), get(at, 'market1501', '', 'test images') + 3368)}
    assert {what for what, r in ERRATA.items() if r['agrees'] == 'no'} == set(again) and worse == 0
    number = lambda text: float(text.replace(',', ''))
    for what, pair in again.items(): assert (number(ERRATA[what]['stated']), number(ERRATA[what]['recomputed'])) == pair, what
    assert int(number(ERRATA['training time, all / chosen']['recomputed'])) == 15 and int(time('finegpr') / time('finegpr+aost')) == 15
    for metric in ('rank-1', 'mAP'): # the text gives the other two targets
        mine = round(get('Table 2', 'finegpr+aost', 'dukemtmc', metric) - get('Table 2', 'randperson', 'dukemtmc', metric), 2)
        assert number(ERRATA[f'FineGPR + AOST over RandPerson, {metric}, DukeMTMC-reID']['recomputed']) == mine < 0
    assert time('finegpr+random') == time('finegpr+ao') == time('finegpr+aost') # choosing and transferring are not timed
