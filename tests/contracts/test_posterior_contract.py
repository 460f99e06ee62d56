"""Every shipped conf/posterior/*.yaml keeps the promises of a family of posteriors."""

from pathlib import Path

import hydra
import pytest
from omegaconf import OmegaConf

from ganvas.testing import PosteriorContract

CONF = Path(__file__).resolve().parents[2] / "conf" / "posterior"
NAMES = sorted(path.stem for path in CONF.glob("*.yaml"))
DIM = 4


def test_the_suite_sees_the_shipped_families():
    assert {"normal"} <= set(NAMES)


class TestPosterior(PosteriorContract):
    @pytest.fixture(params=NAMES)
    def family(self, request):
        root = OmegaConf.create(
            {"prior": {"dim": DIM, "categorical": [2]}, "posterior": OmegaConf.load(CONF / f"{request.param}.yaml")}
        )
        return hydra.utils.instantiate(root.posterior, _convert_="all")

    @pytest.fixture
    def dim(self):
        return DIM
