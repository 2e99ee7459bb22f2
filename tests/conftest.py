"Where the tests find real data, and a passing cache for each test."
import os
from pathlib import Path

import pytest

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
