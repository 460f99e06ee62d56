"""Tries command lines of a grammar, each in a process and a folder of its own, and judges what each did.

``python scripts/fuzz.py --cases 2000 --seed 1`` takes half an hour on one core; ``--piece 2/5`` is a fifth of it. Each
case is one line of ``fuzz.jsonl``: the command line, the exit code, what was said, the oracles that it violates.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType


def main() -> None:
    """Run ``tests/faults/fuzz.py`` with one thread; an installed package may be called ``tests`` too."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    tests = ModuleType("ganvas_tests")
    tests.__path__ = [str(Path(__file__).parents[1] / "tests")]
    sys.modules[tests.__name__] = tests
    import_module("ganvas_tests.faults.fuzz").begin()


if __name__ == "__main__":
    main()
