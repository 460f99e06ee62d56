"""Wheel and editable install carry code, configs, experiments and weights, seen from an unrelated folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
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


def see(folder, *options, **environment):
    line = [sys.executable, *options, "-c", SEEN]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, env=os.environ | environment)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


def test_the_editable_install_is_whole_from_an_unrelated_folder(tmp_path):
    assert see(tmp_path) == ROOT / "src" / "ganvas" / "__init__.py"


def files_of_the_package():
    kept = (path for path in (ROOT / "src").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return [path for path in kept if not any(part.endswith(".egg-info") for part in path.parts)]


def test_every_folder_of_code_is_named_as_a_package():
    """The wheel holds the packages that ``pyproject.toml`` names; an editable install sees the others too."""
    tomllib = pytest.importorskip("tomllib")  # of Python 3.11
    named = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    code = (path.relative_to(ROOT / "src") for path in files_of_the_package() if path.suffix == ".py")
    assert set(named) == {".".join(path.parent.parts) for path in code} | {"ganvas.conf", "ganvas.experiments"}


@pytest.mark.slow
def test_the_wheel_is_whole_from_an_unrelated_folder(tmp_path):
    for name in ("src", "conf", "experiments"):
        shutil.copytree(ROOT / name, tmp_path / "source" / name, ignore=shutil.ignore_patterns("*.egg-info"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path / "source" / name)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path)]
    subprocess.run([*build, str(tmp_path / "source")], check=True)  # ROOT may hold files of an earlier build
    (wheel,) = tmp_path.glob("*.whl")
    # Unpacked and put before the packages that are installed. Without -S, the editable install among them would lend
    # the wheel the modules that it lacks.
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    where = see(tmp_path, "-S", PYTHONPATH=os.pathsep.join([str(tmp_path / "site"), sysconfig.get_path("purelib")]))
    assert where == tmp_path / "site" / "ganvas" / "__init__.py"
    names = zipfile.ZipFile(wheel).namelist()
    configs = {f"ganvas/{path.relative_to(ROOT)}" for path in (ROOT / "conf").rglob("*.yaml")}
    code = {str(path.relative_to(ROOT / "src")) for path in files_of_the_package()}
    assert not (configs | code) - set(names)
    assert not [name for name in names if name.startswith(("tests", "scripts", "conf"))]
