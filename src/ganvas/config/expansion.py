"""Size of a YAML file with its aliases written out: a few lines of them could fill the memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

from ganvas.config.build import ConfigError

MOST: Final = 100_000
"""Values of one file; the largest config of ganvas has some 300."""


def refuse_bombs(folder: Path) -> None:
    """Refuse a folder of configs with a file that stands for more than :data:`MOST` values.

    Args:
        folder: value of ``--config-dir``; files that are no YAML are left to Hydra.

    Raises:
        ConfigError: names the file and its size.
    """
    for path in sorted(folder.rglob("*.yaml")):
        try:
            count = expanded(path.read_text(encoding="utf-8")) if path.is_file() else 0
        except (OSError, ValueError, yaml.YAMLError):
            continue
        except RecursionError:
            count = MOST + 1
        if count > MOST:
            raise ConfigError(f"{path}: more than {MOST:,} values or levels, its aliases written out; write fewer")


def expanded(text: str) -> int:
    """Count the values of a YAML document, each alias as often as it stands there.

    Args:
        text: one document.
    """
    known: dict[int, int] = {}

    def size(node: Any) -> int:
        if id(node) not in known:
            known[id(node)] = 1  # an alias of a node inside itself ends here
            values = node.value if isinstance(node, yaml.CollectionNode) else []
            children = [part for value in values for part in (value if isinstance(value, tuple) else (value,))]
            known[id(node)] = 1 + sum(size(child) for child in children)
        return known[id(node)]

    return size(yaml.compose(text, Loader=yaml.SafeLoader))
