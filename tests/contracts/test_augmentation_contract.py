"""What every augmentation promises: found through the configs and the package's exported names."""

import dataclasses
import inspect
from pathlib import Path

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

import ganvas.augment as augment
from ganvas.augment import ADA, Augmentation
from ganvas.testing import AugmentationContract

CONF = Path(__file__).parents[2] / "conf" / "augment"
PATHS = {path.stem: path for path in sorted(CONF.glob("*.yaml"))}
CONFIGS = {name: instantiate(OmegaConf.load(path), _convert_="all") for name, path in PATHS.items()}
EXPORTED = [getattr(augment, name) for name in augment.__all__]
CLASSES = [cls for cls in EXPORTED if inspect.isclass(cls) and issubclass(cls, Augmentation)]


def test_every_implementation_has_a_config():
    assert {type(value) for value in CONFIGS.values()} == {cls for cls in CLASSES if not inspect.isabstract(cls)}


@pytest.mark.parametrize("name", PATHS)
def test_config_states_every_field_and_says_what_it_is(name):
    fields = dataclasses.fields(CONFIGS[name])
    assert set(OmegaConf.load(PATHS[name])) == {field.name for field in fields} | {"_target_"}
    assert all(f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING for f in fields)
    assert PATHS[name].read_text().startswith("# ")


class TestShipped(AugmentationContract):
    @pytest.fixture(params=CONFIGS)
    def augmentation(self, request):
        return CONFIGS[request.param]


class TestFixedADA(AugmentationContract):
    @pytest.fixture
    def augmentation(self):
        return ADA(p=0.5, target=None, images=500_000)
