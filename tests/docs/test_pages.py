"""The commands and programs of every document run, in their order, in one folder for each document or story."""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path

import pytest

from ganvas.cli import main

from .blocks import DOCUMENTS, ROOT, RUN, blocks
from .conftest import SCORE, TRAIN, small_calls

SMALL = {"train": TRAIN, "score": SCORE}
DOWNLOADED = re.compile(r"(data|reference)=(mnist|fashion_mnist|kmnist)")
READ = [path for path in DOCUMENTS if any(b.language in RUN and "skip" not in b.marks for b in blocks(path))]
STORIES = [ROOT / "docs" / "tutorial"]
"""Folders whose pages are read one after the other."""
PAGES = [[path for path in READ if path.parent == story] for story in STORIES]
PAGES += [[path] for path in READ if path.parent not in STORIES]


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("pages", PAGES, ids=lambda pages: pages[-1].relative_to(ROOT).as_posix())
def test_what_a_document_says_runs(reader, pages, capsys):
    stand_ins, patch = reader
    small_calls(patch)
    for block in [block for path in pages for block in blocks(path)]:
        if "file" in block.marks:
            path = Path(block.marks["file"])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
        elif block.language == "python" and "skip" not in block.marks:
            exec(compile(block.text, str(block), "exec"), {})
        elif block.language == "sh" and "skip" not in block.marks:
            for line in block.lines:
                code = run_line(line, block.marks, stand_ins, patch)
                said = capsys.readouterr()
                assert code == 0, f"{block}: {line}\n{said.out[-2000:]}\n{said.err[-2000:]}"


def run_line(line, marks, stand_ins, patch):
    """Run one line in this process, or compose its config; returns the exit code."""
    for name, value in stand_ins.items():
        line = line.replace(name, value)
    words = shlex.split(line, comments=True)
    assigned = [word for word in words if re.match(r"[A-Z_]+=", word)]
    for word in assigned:
        patch.setenv(*word.split("=", 1))
    rest = [os.path.expandvars(word) for word in words if word not in assigned]
    if rest[:1] != ["ganvas"]:
        return 0
    _, command, *arguments = rest
    if "compose" in marks:
        return ended(command, *(first_of(word) for word in arguments if word != "-m"), "--cfg=job")
    return ended(command, *arguments, *SMALL.get(command, []), *further(command, arguments, marks))


def first_of(word):
    """The first value of a sweep's override, because only one job can be composed."""
    return word if re.search(r"[\[({'\"]", word) else word.partition(",")[0]


def further(command, arguments, marks):
    """Overrides of the block; digits that are at hand in the place of those that an experiment would download."""
    if command == "train":
        yield from shlex.split(marks.get("add", ""))
        if any(word.startswith("experiment=") for word in arguments):
            yield "data=mnist5k"


def ended(command, *arguments):
    """Exit code of a command."""
    arguments = [DOWNLOADED.sub(r"\1=mnist5k", w) if DOWNLOADED.fullmatch(w) else w for w in arguments]
    try:
        return main([command, *arguments])
    except SystemExit as end:  # Hydra ends this way after --cfg
        return end.code or 0
    finally:
        sys.stdout.flush()
