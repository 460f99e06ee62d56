"""Every block says whether it runs; a block that does not run says why. Links lead somewhere."""

from __future__ import annotations

import re
import shlex

import pytest

from ganvas.cli import COMMANDS

from .blocks import DOCUMENTS, MARKS, ROOT, RUN, SHOWN, blocks

ALL = [block for path in DOCUMENTS for block in blocks(path)]
INLINE = re.compile(r"(?<!`)`ganvas ([a-z]+)(?: [^`]*)?`(?!`)")
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)")
PAGE = re.compile(r"\bdocs/[\w/-]+\.md\b")


def test_the_documents_have_blocks_to_run():
    assert sum(block.language in RUN for block in ALL) > 20


@pytest.mark.parametrize("block", ALL, ids=str)
def test_a_block_says_what_it_is(block):
    assert block.language in (*RUN, *SHOWN), f"{block}: {block.info!r} is not of the form in tests/docs/blocks.py"
    assert set(block.marks) <= set(MARKS) and len(block.marks) <= 1
    for reason in (block.marks.get("compose"), block.marks.get("skip")):
        assert reason is None or len(reason.split()) >= 3, f"{block}: {reason!r} is no reason"


def test_commands_in_running_text_exist():
    for path in DOCUMENTS:
        for command in INLINE.findall(path.read_text()):
            assert command in COMMANDS, f"{path.relative_to(ROOT)}: ganvas {command}"


@pytest.mark.parametrize("block", [b for b in ALL if b.language == "sh" and "skip" not in b.marks], ids=str)
def test_a_block_that_runs_holds_only_commands_of_ganvas_and_variables(block):
    for line in block.lines:
        words = shlex.split(line, comments=True)
        rest = [word for word in words if not re.match(r"[A-Z_]+=", word)]
        assert not rest or rest[0] == "export" or (rest[0] == "ganvas" and rest[1] in COMMANDS), f"{block}: {line}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_to_files(path):
    for link in LINK.findall(path.read_text()):
        assert (path.parent / link).exists(), link


def test_pages_named_in_code_and_configs_exist():
    sources = [p for folder in ("conf", "src", "scripts", "examples") for p in (ROOT / folder).rglob("*.*")]
    read = [p for p in [*sources, *DOCUMENTS] if p.suffix in (".py", ".yaml", ".md", ".toml")]
    named = {(p, page) for p in read for page in PAGE.findall(p.read_text())}
    missing = [f"{p.relative_to(ROOT)}: {page}" for p, page in named if not (ROOT / page).is_file()]
    assert len(named) > 10 and not missing
