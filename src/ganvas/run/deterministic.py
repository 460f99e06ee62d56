"""torch's deterministic algorithms, for the length of one training: assembly, steps, pictures and scores.

Lightning's ``Trainer(deterministic=True)`` switches them on when the trainer is made and never off again, so that a
later training of the same process would have them too. Here they end with the training.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import torch

from ganvas.config import ConfigError

WORKSPACE: Final = "CUBLAS_WORKSPACE_CONFIG"
"""Environment variable that cuBLAS reads when CUDA starts."""
_FIXED: Final = (":4096:8", ":16:8")
"""Its values with which cuBLAS is deterministic; the first is larger and faster."""
_REFUSED: Final = re.compile(r"(\S+) does not have a deterministic implementation")
_CUBLAS: Final = "not deterministic because it uses CuBLAS"


class NotDeterministicError(RuntimeError):
    """An operation of a training with ``deterministic=true`` has no deterministic version."""

    exit_code = 2


@contextmanager
def deterministic_algorithms(on: bool) -> Iterator[None]:
    """Allow only deterministic algorithms inside the block; afterwards torch's settings are what they were.

    Args:
        on: value of ``deterministic``; False changes nothing.

    Raises:
        ConfigError: CUDA was started before without the setting of cuBLAS that this needs.
        NotDeterministicError: an operation has no deterministic version.
    """
    if not on:
        yield
        return
    mode, benchmark, workspace = _settings()
    if workspace not in _FIXED:
        if torch.cuda.is_initialized():
            raise ConfigError(
                f"deterministic=true: this process has used CUDA already, without {WORKSPACE}; start the program with "
                f"{WORKSPACE}={_FIXED[0]} in its environment"
            )
        os.environ[WORKSPACE] = _FIXED[0]
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(True)
    try:
        with naming_the_operation(on):
            yield
    finally:
        torch.use_deterministic_algorithms(mode > 0, warn_only=mode == 1)
        torch.backends.cudnn.benchmark = benchmark
        _restore(workspace)


@contextmanager
def naming_the_operation(on: bool) -> Iterator[None]:
    """Turn torch's refusal of an operation inside the block into an error that names the operation and the key.

    Args:
        on: value of ``deterministic``; False changes nothing.

    Raises:
        NotDeterministicError: an operation has no deterministic version.
    """
    try:
        yield
    except RuntimeError as error:
        found = _REFUSED.search(str(error))
        if not on or isinstance(error, NotDeterministicError) or (found is None and _CUBLAS not in str(error)):
            raise
        raise NotDeterministicError(
            f"deterministic=true: the operation {found[1] if found else 'of cuBLAS'} of this training has no "
            "deterministic version in torch on this device; write deterministic=false, or choose a part without it"
        ) from error


def _settings() -> tuple[int, bool, str | None]:
    return torch.get_deterministic_debug_mode(), torch.backends.cudnn.benchmark, os.environ.get(WORKSPACE)


def _restore(workspace: str | None) -> None:
    """Restore the environment; where CUDA has started meanwhile, cuBLAS keeps the setting, and so does the variable."""
    if torch.cuda.is_initialized():
        return
    if workspace is None:
        os.environ.pop(WORKSPACE, None)
    else:
        os.environ[WORKSPACE] = workspace
