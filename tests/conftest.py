"Where the tests find real data, and a passing cache for each test."
import os, warnings
from pathlib import Path

import pytest

from reid_nb.data.real import read_market1501

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    "No test reads or fills the user's cache."
    monkeypatch.setenv('REID_CACHE', str(tmp_path_factory.mktemp('cache')))


@pytest.fixture(scope='session')
def real_data():
    "Find a dataset by pattern in REID_DATA, or in a data folder beside the checkout; skip, saying so, where there is none."
    places = [Path(os.environ['REID_DATA'])] if os.environ.get('REID_DATA') else sorted(ROOT.parent.glob('*/data'))
    def find(pattern):
        found = sorted(f for p in places for f in p.glob(pattern))
        if not found: pytest.skip(f'{pattern} is not here: set REID_DATA to a folder that holds it')
        return found[0]
    return find


@pytest.fixture(scope='session')
def market1501(real_data, tmp_path_factory):
    "The records of the real Market-1501, read once; a count that differs from the published one is an error."
    with pytest.MonkeyPatch.context() as m, warnings.catch_warnings():
        m.setenv('REID_CACHE', str(tmp_path_factory.mktemp('market')))
        warnings.simplefilter('error')
        return read_market1501(real_data('Market-1501*.zip'))
