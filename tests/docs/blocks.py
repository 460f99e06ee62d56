"""The fenced blocks of the documents, and what their info strings say about running them.

``sh`` blocks hold commands, ``python`` blocks programs; blocks in other languages are read and not run:

    ```sh                     runs; trainings and scores are made small
    ```sh add="seed=1"        runs, with these overrides at the end of each `ganvas train` line
    ```sh compose="REASON"    does not run for this reason; the configs of its lines must compose
    ```sh skip="REASON"       does not run for this reason
    ```yaml file="NAME"       is written into this file, as the reader is told to; python too
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "experiments/**/*.md", "examples/**/*.md")
    for path in ROOT.glob(pattern)
)
RUN = ("sh", "python")
SHOWN = ("yaml", "text")
MARKS = ("add", "compose", "skip", "file")

_FENCE = re.compile(r"^( *)```([^\n`]*)\n(.*?)^\1```[ ]*$", re.MULTILINE | re.DOTALL)
_INFO = re.compile(r'(\w+)((?: \w+="[^"]+")*)')


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Args:
        document: path of the file from the repository's top.
        line: line number of the fence.
        info: what stands behind the opening fence.
        text: content of the block.
    """

    document: str
    line: int
    info: str
    text: str

    @property
    def language(self) -> str:
        """First word of the info string; empty if it does not have the form above."""
        found = _INFO.fullmatch(self.info)
        return found[1] if found else ""

    @property
    def marks(self) -> dict[str, str]:
        """Values of the marks by name."""
        return dict(re.findall(r'(\w+)="([^"]+)"', self.info))

    @property
    def lines(self) -> list[str]:
        """Lines of the block; one that ends in a backslash goes on in the next."""
        return [line for line in self.text.replace("\\\n", " ").splitlines() if line.strip()]

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


def blocks(path: Path) -> Iterator[Block]:
    """Yield the blocks of a document in their order."""
    text, name = path.read_text(), path.relative_to(ROOT).as_posix()
    for found in _FENCE.finditer(text):
        yield Block(name, text.count("\n", 0, found.start()) + 1, found[2].strip(), found[3])
