"""Whatever is quoted, Hydra's own parser reads back."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from ganvas.sweeps.overrides import quoted

TEXTS = ["plain", "it's", "a, b [c] {d}", "back\\slash", "ends\\", "\\'", "a\\b\\", "two\\\\", "=:$x", "'", "\\\\'\\"]


@pytest.mark.parametrize("text", TEXTS)
def test_hydra_reads_back_what_was_quoted(text):
    (override,) = OverridesParser.create().parse_overrides([f"key={quoted(text)}"])
    assert override.value() == text
