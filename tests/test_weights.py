"The real registries, only where asked for: REID_NETWORK=1 make test."
import os

import pytest

from reid_nb.core import import_torchvision
from reid_nb.weights import WEIGHTS, load_weights, weight_files

network = pytest.mark.skipif(not os.environ.get('REID_NETWORK'), reason='downloads 430 MB; set REID_NETWORK=1 to run it')


@network
@pytest.mark.parametrize('name', [n for n, w in WEIGHTS.items() if not w.origin.startswith('http')])
def test_package_registries_hold_them(name): assert all(f.is_file() for f in weight_files(name))


@network
@pytest.mark.parametrize('name, network', [('mobilenet_v2_deepsort', 'mobilenet_v2'), ('resnet50_augnet', 'resnet50'),
                                           ('lpips_vgg16', 'vgg16'), ('lpips_alexnet', 'alexnet')])
def test_they_fit_their_networks(name, network):
    lacking, left = import_torchvision().models.get_model(network).load_state_dict(load_weights(name), strict=False)
    assert all(k.startswith(('fc.', 'classifier.')) for k in lacking) and all(k.startswith('lin') for k in left)
