"People: labels that are true of what is worn, and nobody naked, at rest and walking, whatever the seed and the season."

import numpy as np
import pytest

from reid_nb.engine.attributes import ATTRIBUTES, LOWERS, SEASONS, UPPERS, colour_name, draw_attributes
from reid_nb.engine.bodies import PARTS, see
from reid_nb.engine.motion import pose
from reid_nb.engine.people import make_person
from reid_nb.engine.raster import skin

CLOTH = [PARTS.index(n) for n in ('upper-clothes', 'dress', 'coat', 'trousers', 'skirt')]
SKIN = [PARTS.index(n) for n in ('face', 'left-arm', 'right-arm', 'left-leg', 'right-leg')]
UPPER = [PARTS.index(n) for n in ('upper-clothes', 'dress', 'coat')]
ARM = (6, 7, 8, 9, 10, 11, 12, 13)


@pytest.fixture(scope='module', params=SEASONS)
def people(request):
    "Sixty of a season."
    return [make_person(draw_attributes(seed, request.param)) for seed in range(1000, 1060)]


@pytest.mark.parametrize('season', SEASONS)
def test_attributes_of_thousands(season):
    for seed in range(10_000, 13_000):
        a = draw_attributes(seed, season)
        assert all(a[k] in values for k, values in ATTRIBUTES.items())
        assert all(colour_name(a[f'{w}_rgb']) == a[f'{w}_color'] for w in ('upper', 'lower', 'shoe'))
        assert a['upper'] == a['lower'] == 'dress' or a['upper'] in UPPERS and a['lower'] in LOWERS
        assert a['lower'] != 'dress' or a['upper'] == 'dress' or a['coat']   # a dress is worn whole, or under a coat
        assert a['lower_type'] == LOWERS[a['lower']][4] and (a['gender'] == 'female' or a['lower_type'] in ('trousers', 'shorts'))
        assert a['sleeve_length'] > 1.8 if a['sleeve'] == 'long' else a['sleeve_length'] < .9
        assert a['leg_length'] > 1.2 if a['lower_length'] == 'long' else .25 < a['leg_length'] < 1
        assert a['coat_length'] < a['leg_length'] and not (a['coat'] and a['sleeve'] == 'short')


def dressed(p, vertices):
    """Of what four views see of the trunk and hips: the share of skin, and whether cloth is seen above and below the waist.
    Which triangles lie there is said by bones and by the place at rest, so it holds in any posture."""
    f, W = p.mesh.faces, np.zeros((len(p.mesh.vertices), 20), np.float32)
    np.add.at(W, (np.arange(len(W))[:, None], p.bones), p.weights)
    y, J = p.mesh.vertices[f, 1].mean(1), p.joints
    trunk = (W[:, ARM].sum(1)[f].mean(1) < .3) & (W[:, 4:6].sum(1)[f].mean(1) < .2)
    trunk &= (y < J[7, 1] - .02) & (y > J[14, 1] - .12 * (J[14, 1] - J[15, 1]))
    views = [see(vertices, f, v, 200, 120)[0] for v in (0, 90, 180, 270)]
    t = np.concatenate([v[v >= 0] for v in views])
    t = t[trunk[t] & np.isin(p.part[t], [*SKIN, *CLOTH])]
    above, cloth = y[t] > J[1, 1], np.isin(p.part[t], CLOTH)
    return np.isin(p.part[t], SKIN).mean(), min(cloth[above].mean(), cloth[~above].mean())


def walking(p, phase):
    R, t = pose(p, 'walk', phase, p.attributes['seed'])
    moves, out = np.concatenate([R, t[..., None]], 2).astype(np.float64), np.empty_like(p.mesh.vertices)
    skin(p.mesh.vertices, p.bones, p.weights, moves, out)
    return out


def test_everybody_is_dressed(people):
    rest = np.array([dressed(p, p.mesh.vertices) for p in people])
    steps = np.array([dressed(p, walking(p, (.1, .6, .35)[i % 3])) for i, p in enumerate(people)])
    for shares in (rest, steps):
        worst = [people[i].attributes['seed'] for i in np.argsort(shares[:, 0])[-3:]]
        assert shares[:, 0].mean() < .02 and shares[:, 0].max() < .12 and shares[:, 1].min() > .85, worst


def test_somebody_naked_is_found(people):
    p = people[0]
    bare = p._replace(part=np.where(np.isin(p.part, CLOTH), PARTS.index('face'), p.part).astype(np.uint8))
    topless = p._replace(part=np.where(np.isin(p.part, UPPER), PARTS.index('face'), p.part).astype(np.uint8))
    for q in (bare, topless):
        for V in (q.mesh.vertices, walking(q, .1)): assert dressed(q, V)[0] > .12 and dressed(q, V)[1] < .85


def test_meshes_are_whole_and_labels_worn(people):
    for p in people:
        a, m = p.attributes, p.mesh
        assert m.faces.max() < len(m.vertices) and m.uv_faces.max() < len(m.uv) and len(m.faces) < 9000
        assert np.isfinite(m.vertices).all() and np.allclose(p.weights.sum(1), 1, atol=1e-4) and abs(m.vertices[:, 1].min()) < 1e-6
        worn = set(np.unique(p.part))
        for part, labels in dict(hat=('hat',), sunglasses=('glasses',), umbrella=('umbrella',),
                                 bag=('backpack', 'shoulder_bag', 'handbag')).items():
            assert (PARTS.index(part) in worn) == any(a[k] for k in labels), (a['seed'], part)
        assert (PARTS.index('coat') in worn) == bool(a['coat'])


def test_bag_over_a_short_top():
    a = draw_attributes(218, 'winter')                       # a shirt that ends above the bag at the hip
    assert a['shoulder_bag'] and PARTS.index('bag') in make_person(a).part
