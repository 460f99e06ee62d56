"""What the sources of one command share: one object for equal requests, another one for any other request."""

from unittest.mock import Mock

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from ganvas.config import ConfigError, compose
from ganvas.data.sources.scored import Fit
from ganvas.models import Model
from ganvas.scoring.opened import Opened
from ganvas.scoring.subjects import ModelSubject

CPU = torch.device("cpu")
RANDOM = {
    "_target_": "ganvas.extractors.CustomExtractor",
    **{"name": "random", "module": "ganvas.extractors.RandomFeatures", "size": 8, "channels": 3},
    **{"mean": [0.5] * 3, "std": [0.5] * 3},
}
MNIST = {"_target_": "ganvas.extractors.MnistExtractor"}


def test_equal_extractors_are_built_once_and_others_are_not_shared():
    opened, node = Opened(), OmegaConf.create(RANDOM)
    (first,) = opened.extractors(node, CPU)
    assert opened.extractors(OmegaConf.create(dict(reversed(RANDOM.items()))), CPU) == (first,)
    for other in (RANDOM | {"mean": [0.4] * 3}, RANDOM | {"name": "own"}, {"random": RANDOM, "mnist": MNIST}):
        assert first not in opened.extractors(OmegaConf.create(other), CPU)
    (elsewhere,) = opened.extractors(node, torch.device("meta"))
    assert elsewhere is not first and elsewhere.device.type == "meta" and first.device == CPU
    assert opened.extractors(None, CPU) == ()
    assert Opened().extractors(node, CPU) != (first,)  # another command


def test_interpolations_count_by_what_they_stand_for():
    opened = Opened()
    first, other = (OmegaConf.create({"one": RANDOM | {"size": "${size}"}, "size": size}) for size in (8, 9))
    assert [opened.extractors(cfg.one, CPU)[0].size for cfg in (first, other)] == [8, 9]


def test_an_extractor_that_cannot_be_built_is_refused_each_time():
    opened, node = Opened(), OmegaConf.create(RANDOM | {"size": 0})
    for _ in range(2):
        with pytest.raises(ConfigError, match="expected at least 1 pixel"):
            opened.extractors(node, CPU)


def cfg(*overrides):
    return compose("score", ["paths.data=data", "source=a", *overrides])


def test_equal_requests_have_one_reference_and_any_other_request_has_its_own():
    opened = Opened()
    plain = cfg("reference=mnist5k")
    first = opened.reference(plain, None, None)
    assert opened.reference(cfg("reference=mnist5k", "metrics=[kid]"), None, None) is first
    others = [cfg("reference=mnist5k", "split=train"), cfg("reference=mnist5k", "++data.val=100")]
    found = [first, *(opened.reference(other, None, None) for other in others)]
    found.append(opened.reference(plain, None, Fit(8, "stretch")))
    assert len({id(one) for one in found}) == 4 and [one.split for one in found[:2]] == ["test", "train"]
    assert Opened().reference(plain, None, None) is not first


def subject(opened, **data):
    """A model that was trained on digits; only its data matter."""
    config = OmegaConf.create(
        {
            "data": {"_target_": "ganvas.data.Mnist5k", "name": "mnist5k", "shape": [1, 28, 28], **data},
            "transform": {"_target_": "ganvas.data.Identity"},
            **{"batch_size": 10, "seed": len(opened._kept)},
        }
    )
    model = Mock(spec=Model, shape=(1, 28, 28), weights="raw")
    return ModelSubject("run", model, lambda: opened.data(config), 0, config)


def test_models_of_equal_data_have_one_reference_though_their_seeds_differ():
    opened, of = Opened(), {"val": 500, "test": 1000}
    one, same, other = subject(opened, **of), subject(opened, **of), subject(opened, **{**of, "val": 5})
    found = [opened.reference(cfg(), each, None) for each in (one, same, other)]
    assert found[0] is found[1] is not found[2]
    assert one.data is same.data is not other.data
    assert found[0].own and found[0].source is one.data.source and found[2].source is other.data.source
    assert opened.reference(cfg("split=train"), one, None).split == "train"
    assert not opened.reference(cfg("reference=mnist5k"), one, None).own


def test_a_reference_of_images_is_read_once(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, images=np.zeros((3, 8, 8), np.uint8))
    opened = Opened()
    first = opened.reference(cfg(f"reference={path}"), None, None)
    path.unlink()
    assert opened.reference(cfg(f"reference={path}"), None, None) is first
