"""Several extractors on one command line: each gets a node of its own, and the list is recorded as it was written."""

import pytest
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from ganvas.config import ConfigError, as_given, nodes_of, spelled_out

LIST = "extractor=[random,mnist]"


@pytest.fixture(autouse=True)
def composing():
    with initialize_config_module("ganvas.conf", version_base="1.3"):
        yield


@pytest.mark.parametrize("root", ["train", "score"])
def test_each_extractor_is_composed_as_alone(root):
    keys = ["extractor.random.size=32", "seed=4"]
    data = ["data=cifar10"] if root == "train" else []  # which has an extractor of its own
    cfg = compose(root, spelled_out([*data, LIST, *keys]), return_hydra_config=True)
    alone = [compose(root, [f"extractor={word}"]).extractor for word in ("random", "mnist")]
    alone[0].size = 32
    assert list(cfg.extractor) == ["random", "mnist"] and nodes_of(cfg.extractor) == alone
    choices, overrides = as_given(cfg.hydra)
    assert choices["extractor"] == "[random,mnist]" and overrides == [*data, LIST, *keys]
    assert not any("@extractor" in group for group in choices)


def test_one_extractor_and_none_stay_as_they_were():
    line = ["model=vae", "extractor=mnist", "-m", "--config-dir", "extractor"]
    assert spelled_out(line) == line and spelled_out(["extractor=[mnist]"]) == ["extractor=mnist"]
    cfg = compose("train", ["extractor=mnist"], return_hydra_config=True)
    assert as_given(cfg.hydra)[1] == ["extractor=mnist"] and as_given(cfg.hydra)[0]["extractor"] == "mnist"
    assert nodes_of(cfg.extractor) == [cfg.extractor] and nodes_of(None) == nodes_of(OmegaConf.create({})) == []


def test_names_may_be_quoted_and_hold_signs_that_no_key_has():
    assert spelled_out(["extractor=['my-net',mnist]"]) == [
        "extractor=none",
        "+extractor@extractor.my_net=my-net",
        "+extractor@extractor.mnist=mnist",
    ]


@pytest.mark.parametrize("value", ["[]", "[mnist,mnist]", "[1,2]", "[mnist,random],cifar10", "choice([mnist,random])"])
def test_other_lists_are_refused(value):
    with pytest.raises(ConfigError, match="^extractor="):
        spelled_out([f"extractor={value}"])


def test_a_list_that_only_hydra_saw_is_refused():
    with pytest.raises(ConfigError, match="command line"):
        as_given(compose("train", [LIST], return_hydra_config=True).hydra)
