"The real Market-1501, where it is at hand: its published facts, and that every file of it decodes."
import numpy as np
from PIL import Image

from reid_nb.data.images import cache_images
from reid_nb.data.records import check_records, count_records


def test_counts(market1501):
    c = count_records(market1501).loc['market1501']
    assert c.images.to_dict() == dict(train=12936, query=3368, gallery=15913)
    assert c.ids.to_dict() == dict(train=751, query=750, gallery=750)
    assert c.cameras.tolist() == [6, 6, 6] and c.junk['gallery'] == 3819 and c.distractors['gallery'] == 2798
    assert market1501.camid.min() == 1 and market1501.image.str.endswith('.jpg.jpg').any()


def test_soundness(market1501):
    faults = check_records(market1501)
    assert faults[['level', 'fault']].values.tolist() == [['note', 'person numbers with holes']]


def test_every_file_decodes(market1501, tmp_path, monkeypatch):
    monkeypatch.setenv('REID_CACHE', str(tmp_path))
    images, same = cache_images(market1501, 128, 64)
    assert images.shape == (len(market1501), 128, 64, 3) and same.equals(market1501)
    for i in range(0, len(market1501), 3001): assert np.array_equal(images[i], np.asarray(Image.open(market1501.image[i]))) # all are 128 x 64 as they are
