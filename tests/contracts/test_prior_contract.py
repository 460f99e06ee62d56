"""Every shipped conf/prior/*.yaml keeps the promises of a prior."""

from pathlib import Path

import hydra
import pytest
import torch
from omegaconf import OmegaConf

from ganvas.latents import diagonal_normal
from ganvas.testing import PriorContract
from ganvas.types import ReadsEncoder

DIM = 64
CONF = Path(__file__).resolve().parents[2] / "conf" / "prior"
NAMES = sorted(path.stem for path in CONF.glob("*.yaml"))


def test_the_suite_sees_the_shipped_priors():
    assert {"codes", "normal", "uniform", "mixture", "sphere", "learned_mixture", "vamp", "flow"} <= set(NAMES)


def encode(images):
    """A stand-in for the encoder that a prior is made from."""
    pixels = images.flatten(1)[:, : 2 * DIM]
    return diagonal_normal(torch.cat([pixels[:, :DIM], pixels[:, DIM:]], dim=1))


class TestPrior(PriorContract):
    @pytest.fixture(params=NAMES)
    def prior(self, request):
        root = OmegaConf.create(
            {"data": {"shape": [1, 12, 12]}, "prior": OmegaConf.load(CONF / f"{request.param}.yaml")}
        )
        prior = hydra.utils.instantiate(root.prior, _convert_="all")
        assert prior.dim == root.prior.dim and prior.space
        return prior.given(encode) if isinstance(prior, ReadsEncoder) else prior
