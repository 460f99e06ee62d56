"""Aliases of YAML files: a file of a few lines can stand for more values than fit into memory.

The number of values is counted on YAML's graph, where an alias and its anchor are one node, so nothing is expanded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import yaml

from ganvas.config.build import ConfigError

MOST: Final = 100_000
"""Largest number of values of a config file; those that ganvas ships have less than 100."""


def require_small(folder: Path) -> None:
    """Refuse a folder of configs if a file in it expands to more than :data:`MOST` values.

    Files that cannot be read as YAML are left to Hydra, which says so if they are chosen.

    Args:
        folder: value of ``--config-dir``.

    Raises:
        ConfigError: names the file and the number of values.
    """
    for path in sorted(folder.rglob("*.yaml")):
        try:
            content = path.read_bytes()
            root = yaml.compose(content, Loader=yaml.SafeLoader) if b"*" in content else None
            count = 0 if root is None else expanded(root, {})
        except (OSError, yaml.YAMLError, ValueError, RecursionError):
            continue
        if count > MOST:
            raise ConfigError(
                f"{path}: its aliases expand to {count:,} values, expected at most {MOST:,}; write fewer aliases"
            )


def expanded(node: yaml.Node, known: dict[int, int]) -> int:
    """Count the values below a node, those of an alias as often as it stands there.

    Args:
        node: a node of YAML's graph.
        known: counts of nodes by id; counts that are found are added.

    Raises:
        ValueError: the node contains itself.
    """
    if (found := known.get(id(node))) is not None:
        if not found:
            raise ValueError("an alias inside its own anchor")
        return found
    known[id(node)] = 0
    parts = node.value if isinstance(node, yaml.CollectionNode) else []
    children = [child for part in parts for child in (part if isinstance(part, tuple) else (part,))]
    known[id(node)] = 1 + sum(expanded(child, known) for child in children)
    return known[id(node)]
