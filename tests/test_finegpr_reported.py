"FineGPR's numbers: hand-picked values, counts, what the text derives from the tables, and where it contradicts itself."
import csv, itertools

import pytest

from conftest import ROOT

with open(ROOT/'data/reported/finegpr.csv', newline='', encoding='utf-8') as f: ROWS = list(csv.DictReader(f))
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
    with open(ROOT/'data/reported/datasets.csv', newline='') as f: # Table 1 stands there too
        rows = [r for r in csv.DictReader(f) if (r['paper'], r['where']) == ('finegpr', 'Table 1')]
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
    "Where the paper disagrees with itself. If one of these fails, data/reported/finegpr.csv has changed."
    gain = lambda target, metric: get('Table 2', 'finegpr+aost', target, metric) - get('Table 2', 'randperson', target, metric)
    assert gain('dukemtmc', 'rank-1') < 0 and gain('dukemtmc', 'mAP') < 0 # the text gives the other two targets
    assert get('Table 1', 'cuhk03', '', 'images') == 14_096 != get('Datasets and Evaluation', 'cuhk03', '', 'images') == 14_097
    assert get('Table 1', 'randperson', '', 'images') == 1_801_816
    assert get('Effectiveness of style transfer', 'randperson', '', 'images') == 132_145
    time = lambda training: get('Table 3', training, '', 'training time')
    assert round(time('finegpr') / time('finegpr+aost'), 1) == 15.4 # "15 x"
    assert get('Properties', 'finegpr', '', 'environment attributes, more than') == 4 # "over 4"; four are named
    assert get('Table 1', 'syri', '', 'cameras') == 280 # the introduction: SyRI has no concept of cameras
    assert time('finegpr+random') == time('finegpr+ao') == time('finegpr+aost') # choosing and transferring are not timed
