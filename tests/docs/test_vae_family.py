"""Each word of the page of the VAE family composes in the line where it stands, and its model is built."""

from __future__ import annotations

import re

import pytest

from ganvas.config import build, compose

from .blocks import ROOT

PAGE = ROOT / "docs" / "reference" / "vae_family.md"
ROW = re.compile(r"^\| (?!feature|-)(.+?) \| (.+) \|$", re.MULTILINE)
DOWNLOADED = ("perceptual",)


def lines():
    """The overrides of each code span; a span that names no model has that of the span before it."""
    for _, words in ROW.findall(PAGE.read_text()):
        model = None
        for span in re.findall(r"`([^`]+=[^`]+)`", words):
            given = span.split()
            if given[0].startswith(("ganvas", "sampler=", "metrics=", "data=")) or "init_from=RUN" in given:
                continue
            model = next((word for word in given if word.startswith("model=")), model)
            yield pytest.param([model, *(word for word in given if word != model)], id=span)


@pytest.mark.slow
@pytest.mark.parametrize("overrides", lines())
def test_each_word_composes_and_builds(overrides):
    config = compose("train", [*overrides, "paths.output=out"])
    if not any(word in override for word in DOWNLOADED for override in overrides):
        assert sum(parameter.numel() for parameter in build(config.model).parameters()) > 0


def test_the_page_has_thirty_one_rows():
    assert len(ROW.findall(PAGE.read_text())) == 31
