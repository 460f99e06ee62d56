"""Metrics of other packages: by entry point from the command line, by register in Python."""

import json
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest

from ganvas.metrics.base import MOMENTS, Score, feature_metric
from ganvas.metrics.registry import metrics, register, registered

PACKAGE = """
from ganvas.metrics.base import SAMPLES, Measured, Metric, Score, Setting

_POWER = Setting("ink_power", 2.0, "power of the mean pixel (nobody's: 2)", least=0)

def _ink(material):
    mean = float(material.draw().double().mean() / 255)
    return Measured({"ink": Score(mean ** material.settings.ink_power, None, "")}, conditions={"n": material.n})

METRIC = Metric("ink", SAMPLES, {"ink": True}, (_POWER,), 1, _ink, "mean pixel to a power", "pixels")
"""
ENTRIES = "[ganvas.metrics]\nink = ink_package:METRIC\ngone = no_such_package:METRIC\nwrong = ink_package:_ink\n"
CODE = """
import sys
from ganvas.cli import main
from ganvas.metrics.registry import lower_is_better
code = main(["score", "fakes.npz", "reference=mnist5k", "extractor=none", "metrics=[ink]", *sys.argv[1:]])
print("direction", lower_is_better("score/pixels/ink"))
sys.exit(code)
"""


@pytest.fixture
def installed(tmp_path):
    """A folder that Python takes for one with an installed package, and images that are white by a fifth."""
    (tmp_path / "ink_package.py").write_text(PACKAGE)
    (tmp_path / "ink_package-1.0.dist-info").mkdir()
    (tmp_path / "ink_package-1.0.dist-info" / "METADATA").write_text("Name: ink_package\nVersion: 1.0\n")
    (tmp_path / "ink_package-1.0.dist-info" / "entry_points.txt").write_text(ENTRIES)
    np.savez(tmp_path / "fakes.npz", images=np.full((10, 28, 28), 51, np.uint8))
    return tmp_path


def run(folder, *overrides):
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", CODE, "paths.output=out", "paths.cache=cache", *overrides]
    return subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True)


@pytest.mark.slow
def test_an_installed_package_brings_its_metric_with_setting_direction_and_protocol(installed):
    done = run(installed, "settings.ink_power=3")
    assert done.returncode == 0, done.stderr
    found = json.loads((installed / "out" / "result.json").read_text())
    assert found["scores"]["score/pixels/ink"]["value"] == pytest.approx(0.2**3)
    conditions = found["protocols"]["score/pixels/ink"]["conditions"]
    assert conditions["settings"] == {"ink_power": 3} and conditions["n"] == 10
    assert "pixels/ink" in done.stdout and "direction True" in done.stdout
    assert "'gone' (no_such_package:METRIC) cannot be used: No module named 'no_such_package'" in done.stderr
    assert "'wrong' (ink_package:_ink) cannot be used: expected a ganvas.metrics.Metric, got function" in done.stderr
    done = run(installed, "settings.ink_powr=3")
    assert done.returncode == 2 and "no metric has 'ink_powr'; did you mean ink_power?" in done.stderr


def test_a_name_belongs_to_one_metric():
    toy = feature_metric("toy", MOMENTS, True, lambda pair: Score(0.0, None, ""), "a toy")
    with registered(toy):
        register(toy)  # again is no harm
        with pytest.raises(ValueError, match="'toy' is another metric's name; choose another name"):
            register(feature_metric("toy", MOMENTS, True, lambda pair: Score(1.0, None, ""), "another toy"))
    assert "toy" not in metrics()


def test_all_shipped_metrics_are_well_formed():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, metric in metrics().items():
            assert metric.name == name and metric.says and metric.revision >= 1
            for setting in metric.settings:
                setting.check(setting.value)
                assert setting.says
