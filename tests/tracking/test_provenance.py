import hashlib
import subprocess

import pytest

from ganvas.tracking.provenance import config_hash, git_state, machine, versions


@pytest.fixture
def repository(tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=trunk"]
        done = subprocess.run(["git", "-C", str(tmp_path), *identity, *arguments], check=True, capture_output=True)
        return done.stdout.decode().strip()

    git("init")
    (tmp_path / "code.py").write_text("x = 1\n")
    git("add", ".")
    git("commit", "-m", "first")
    return tmp_path, git


def test_clean(repository):
    folder, git = repository
    commit = git("rev-parse", "HEAD")
    assert git_state(folder) == {"commit": commit, "branch": "trunk", "dirty": False, "diff": "", "untracked": []}


def test_dirty(repository, monkeypatch):
    folder, git = repository
    (folder / "code.py").write_text("x = 2\n")
    (folder / "new.py").write_text("")
    git("checkout", "--detach")
    monkeypatch.setenv("GIT_DIR", "/nowhere")  # as inside a git hook
    state = git_state(folder)
    assert state["dirty"] and "-x = 1\n+x = 2" in state["diff"]
    assert state["untracked"] == ["new.py"] and state["branch"] is None


def test_staged_changes_count(repository):
    folder, git = repository
    (folder / "code.py").write_text("x = 2\n")
    git("add", "code.py")
    assert git_state(folder)["dirty"]


def test_no_repository_no_folder_no_git(tmp_path, monkeypatch):
    assert git_state(tmp_path) == {}
    assert git_state(tmp_path / "missing") == {}
    monkeypatch.setenv("PATH", "")
    assert git_state(tmp_path) == {}


def test_versions_and_machine():
    found = versions()
    import numpy
    import torch

    assert found["numpy"] == numpy.__version__ and found["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert {"python", "mlflow", "pytorch-lightning", "hydra-core", "torchmetrics", "torch-fidelity"} <= set(found)
    assert machine()["cpu_count"] >= 1 and machine()["torch_threads"] == torch.get_num_threads()


def test_config_hash_is_of_canonical_json():
    expected = hashlib.sha256('{"a":[1,2],"b":{"c":0.5,"d":"é"}}'.encode()).hexdigest()[:12]
    assert config_hash({"b": {"d": "é", "c": 0.5}, "a": [1, 2]}) == expected
    assert config_hash({"b": {"d": "é", "c": 0.5}, "a": [2, 1]}) != expected
