"""The mode of Hydra, one run or a sweep, known without composing the config for it.

Before Hydra composes the config of a command, it composes the whole config once more to read ``hydra.mode``. No config
of ganvas sets this key, so the answer is None, and the second composition only doubles the time of a start.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from hydra._internal.hydra import Hydra

_MAY_SET: Final = re.compile(r"[+~]*hydra[./](mode|searchpath)\b|--config-|-c[dnp]\b")
"""Arguments that set the mode, or that bring configs which could set it."""
_get_mode: Final = Hydra.get_mode


@contextmanager
def composed_once(arguments: Sequence[str]) -> Iterator[None]:
    """Let ``--multirun`` alone decide the mode inside the block, unless other arguments or configs could set it.

    Args:
        arguments: arguments of Hydra's command line.
    """
    may_be_set = any(_MAY_SET.match(argument) for argument in arguments)
    Hydra.get_mode = _get_mode if may_be_set else lambda *_, **__: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        Hydra.get_mode = _get_mode  # type: ignore[method-assign]
