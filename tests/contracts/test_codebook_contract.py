"""Every shipped conf/quantiser/*.yaml and both distributions over codes keep the promises of their contracts."""

from functools import partial
from pathlib import Path

import hydra
import pytest
import torch
from omegaconf import OmegaConf

from ganvas.latents import FSQ, Autoregressive, CodeFrequencies
from ganvas.networks import gated_pixel_cnn
from ganvas.networks.init import glorot_uniform_
from ganvas.testing import CodeDistributionContract, QuantiserContract

CONF = Path(__file__).resolve().parents[2] / "conf" / "quantiser"
NAMES = sorted(path.stem for path in CONF.glob("*.yaml"))


def test_the_suite_sees_the_shipped_quantisers():
    assert {"vq", "vq_ema", "residual_vq", "fsq"} <= set(NAMES)


class TestQuantiser(QuantiserContract):
    @pytest.fixture(params=NAMES)
    def quantiser(self, request):
        torch.manual_seed(0)
        return hydra.utils.instantiate(OmegaConf.load(CONF / f"{request.param}.yaml"), _convert_="all")

    def squashes(self, quantiser):
        return isinstance(quantiser, FSQ)


SIZES = [(1, 2, 2, 3), (2, 1, 2, 3), (3, 2, 1, 2)]


class TestCodeFrequencies(CodeDistributionContract):
    @pytest.fixture(params=SIZES)
    def sizes(self, request):
        return request.param

    @pytest.fixture
    def prior(self, sizes):
        *shape, values = sizes
        prior = CodeFrequencies(values, *shape, decay=0.3)
        for seed in range(3):
            generator = torch.Generator().manual_seed(seed)
            prior.observe(torch.randint(values, (4, *shape), generator=generator))
        return prior


class TestAutoregressive(CodeDistributionContract):
    @pytest.fixture(params=SIZES)
    def sizes(self, request):
        return request.param

    @pytest.fixture
    def prior(self, sizes):
        depth, height, width, values = sizes
        torch.manual_seed(0)
        wide = partial(glorot_uniform_, gain=2.0)  # far from uniform codes
        network = gated_pixel_cnn.Predictor(values, depth, channels=8, layers=2, kernel=3, hidden=8, init=wide)
        return Autoregressive(network, height, width)
