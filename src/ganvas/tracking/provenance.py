"""The provenance of a run: the code's commit and changes, the versions it ran with, the machine, the config's hash."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ganvas.versions import PACKAGES, installed

_UNUSED = "optuna"
"""Of the packages, the one that chooses what is trained and takes no part in a training."""


def git_state(folder: str | Path) -> dict[str, Any]:
    """Read commit, branch and uncommitted changes of a repository.

    Args:
        folder: any folder in the repository.

    Returns:
        ``commit``, ``branch`` (None when detached), ``dirty`` (tracked files differ from the commit), ``diff`` (how),
        ``untracked`` (names of files git neither tracks nor ignores); empty where there is no repository, no commit
        or no git.
    """
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return {}
    diff = _git(folder, "diff", "--no-ext-diff", "--no-color", "HEAD") or ""
    return {
        "commit": commit.strip(),
        "branch": (_git(folder, "symbolic-ref", "--short", "-q", "HEAD") or "").strip() or None,
        "dirty": bool(diff),
        "diff": diff,
        "untracked": (_git(folder, "ls-files", "--others", "--exclude-standard", "--directory") or "").splitlines(),
    }


def versions() -> dict[str, str]:
    """Look up the versions of Python and of each installed package that results depend on."""
    found = {package: installed(package) for package in PACKAGES if package != _UNUSED}
    return {"python": platform.python_version()} | {name: at for name, at in found.items() if at is not None}


def machine() -> dict[str, Any]:
    """Describe platform, processors, threads and accelerator."""
    return {
        "platform": platform.platform(),
        "cpu_count": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def config_hash(config: Mapping[str, Any]) -> str:
    """Hash a config: the first 12 digits of SHA-256 of its canonical JSON, in which keys are sorted.

    Args:
        config: resolved config of plain values, without keys that do not change the result (paths, tracking).
    """
    canonical = json.dumps(config, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def _git(folder: str | Path, *arguments: str) -> str | None:
    # Inside a git hook GIT_DIR and its like point at another repository than the folder's.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, env=environment, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace")
