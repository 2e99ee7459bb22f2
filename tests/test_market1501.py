"The real Market-1501, where it is at hand: its published facts, and that every file of it decodes."
import warnings

import numpy as np
import pytest
from PIL import Image

from reid_nb.data.images import cache_images
from reid_nb.data.real import read_market1501
from reid_nb.data.records import check_records, count_records


@pytest.fixture(scope='module')
def market(real_data, tmp_path_factory):
    with pytest.MonkeyPatch.context() as m, warnings.catch_warnings():
        m.setenv('REID_CACHE', str(tmp_path_factory.mktemp('market')))
        warnings.simplefilter('error') # a count that differs would warn
        yield read_market1501(real_data('Market-1501*.zip'))


def test_counts(market):
    c = count_records(market).loc['market1501']
    assert c.images.to_dict() == dict(train=12936, query=3368, gallery=15913)
    assert c.ids.to_dict() == dict(train=751, query=750, gallery=750)
    assert c.cameras.tolist() == [6, 6, 6] and c.junk['gallery'] == 3819 and c.distractors['gallery'] == 2798
    assert market.camid.min() == 1 and market.image.str.endswith('.jpg.jpg').any()


def test_soundness(market):
    faults = check_records(market)
    assert faults[['level', 'fault']].values.tolist() == [['note', 'person numbers with holes']]


def test_every_file_decodes(market, tmp_path, monkeypatch):
    monkeypatch.setenv('REID_CACHE', str(tmp_path))
    images, same = cache_images(market, 128, 64)
    assert images.shape == (len(market), 128, 64, 3) and same.equals(market)
    for i in range(0, len(market), 3001): assert np.array_equal(images[i], np.asarray(Image.open(market.image[i]))) # all are 128 x 64 as they are
