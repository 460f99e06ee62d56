"""A command composes its config once; a mode that somebody sets is still Hydra's to read."""

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.hydra import Hydra

from ganvas.cli import main
from ganvas.config.mode import composed_once


@pytest.fixture
def compositions(monkeypatch, store):
    composed, load = [], ConfigLoaderImpl.load_configuration
    monkeypatch.setattr(
        ConfigLoaderImpl, "load_configuration", lambda *a, **named: (composed.append(named), load(*a, **named))[1]
    )
    return composed


def test_a_command_composes_its_config_once(compositions, capsys):
    assert main(["train", "seed=-1"]) == 2 and "seed=-1: " in capsys.readouterr().err
    assert len(compositions) == 1
    assert main(["train", "-m", "seed=1,2", "study=.."]) == 2 and "study='..': " in capsys.readouterr().err
    assert len(compositions) == 2


def test_a_mode_that_is_set_decides(compositions, capsys):
    assert main(["train", "hydra.mode=MULTIRUN", "seed=1,2", "study=.."]) == 2
    assert "study='..': " in capsys.readouterr().err and len(compositions) == 2


@pytest.mark.parametrize(
    "argument", ["hydra.mode=RUN", "++hydra.mode=RUN", "--config-dir=own", "-cn", "hydra.searchpath=[file://own]"]
)
def test_arguments_that_may_set_it_leave_hydra_as_it_is(argument):
    asks = Hydra.get_mode
    with composed_once(["train", argument]):
        assert Hydra.get_mode is asks
    with composed_once(["hydra.sweeper.prune_on=3", "model.hydra.mode=3"]):
        assert Hydra.get_mode is not asks
    assert Hydra.get_mode is asks
