"""List the rooms of the package and the imports between them.

A room is a folder of modules, or a module at the top level. The script prints counts, then one line for each room with
the rooms it imports.

Usage: python scripts/rooms.py [--modules] [--source FOLDER]
"""

from __future__ import annotations

import argparse
import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("ganvas", "hydra_plugins")
NOT_CODE = ("conf", "experiments")


def modules(source: Path) -> dict[str, Path]:
    """Find every module below ``source``: its file by its dotted name."""
    found = {}
    for package in PACKAGES:
        for path in sorted((source / package).rglob("*.py")):
            parts = path.relative_to(source).with_suffix("").parts
            if not set(parts) & set(NOT_CODE):
                found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """Names that a file imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in known else node.module for name in names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def room(name: str, path: Path) -> str:
    """Room of a module: its folder, without the package's name."""
    folder = name if path.name == "__init__.py" else name.rpartition(".")[0]
    return (folder if folder not in PACKAGES else name).removeprefix("ganvas.")


def main() -> None:
    """Print the counts and the rooms."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, default=Path(__file__).parents[1] / "src")
    parser.add_argument("--modules", action="store_true", help="also list modules with a single importer")
    options = parser.parse_args()
    known = modules(options.source)
    importers: dict[str, set[str]] = defaultdict(set)
    arrows: dict[str, set[str]] = defaultdict(set)
    for name, path in known.items():
        for other in set(imported(path, known)) & set(known) - {name}:
            importers[other].add(name)
            here, there = room(name, path), room(other, known[other])
            if here != there:
                arrows[here].add(there)
    rooms = {room(name, path) for name, path in known.items()}
    top = {name.split(".")[0] for name in rooms}
    single = sorted(name for name in known if len(importers[name]) == 1)
    print(f"{len(known)} modules in {len(rooms)} rooms, {len(top)} of them at the top level;", end=" ")
    print(f"{sum(map(len, arrows.values()))} arrows; {len(single)} modules with one importer")
    for name in sorted(rooms):
        print(f"{name}: {', '.join(sorted(arrows[name])) or 'nothing'}")
    if options.modules:
        print("\n".join(single))


if __name__ == "__main__":
    main()
