"""Wheel and editable install carry code, configs, experiments and weights, seen from an unrelated folder."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SEEN = """
from importlib.resources import files
from hydra import compose, initialize_config_module
import ganvas.commands.train
from ganvas.extractors.mnist import MnistExtractor
MnistExtractor()
assert files("ganvas.experiments").joinpath("article", "README.md").is_file()
with initialize_config_module("ganvas.conf", version_base="1.3"):
    assert compose("train", ["experiment=demo_wgan_gp"]).model.n_critic == 1
from hydra.core.plugins import Plugins
assert "hydra_plugins.ganvas_sweeper.sweeper.GanvasSweeper" in Plugins.instance().class_name_to_class
import ganvas
print(ganvas.__file__)
"""


def see(python, folder, **environment):
    done = subprocess.run([python, "-c", SEEN], cwd=folder, capture_output=True, text=True, env=environment or None)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


def test_the_editable_install_is_whole_from_an_unrelated_folder(tmp_path):
    assert see(sys.executable, tmp_path) == ROOT / "src" / "ganvas" / "__init__.py"


@pytest.mark.slow
def test_the_wheel_is_whole_from_an_unrelated_folder(tmp_path):
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    # Unpacked and put first on the path: what it imports comes from the packages that are installed already.
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    where = see(sys.executable, tmp_path, **{**os.environ, "PYTHONPATH": str(tmp_path / "site")})
    assert where == tmp_path / "site" / "ganvas" / "__init__.py"
    names = zipfile.ZipFile(wheel).namelist()
    shipped = [path.relative_to(ROOT) for path in (ROOT / "conf").rglob("*.yaml")]
    assert {f"ganvas/{path}" for path in shipped} <= set(names)
    assert not [name for name in names if name.startswith(("tests", "scripts", "conf"))]
