"""Every shipped conf/sampler/*.yaml, with fewer steps, keeps the promises of a sampler after training."""

from pathlib import Path

import hydra
import pytest
from omegaconf import OmegaConf

from ganvas.testing import LatentSamplerContract

CONF = Path(__file__).resolve().parents[2] / "conf" / "sampler"
NAMES = sorted(path.stem for path in CONF.glob("*.yaml"))
FEW = {"steps": 300, "hidden": [16], "batch_size": 64, "maps": 2, "lr": 0.01}


def test_the_suite_sees_the_shipped_samplers():
    assert {"gmm", "maf", "normal", "two_stage"} <= set(NAMES)


class TestLatentSampler(LatentSamplerContract):
    @pytest.fixture(params=NAMES)
    def sampler(self, request):
        node = OmegaConf.load(CONF / f"{request.param}.yaml")
        few = {key: value for key, value in FEW.items() if key in node}
        return hydra.utils.instantiate(OmegaConf.merge(node, few), _convert_="all")
