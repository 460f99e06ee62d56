"""Claims are read whole or refused; every shipped file is read, and every claim has its program."""

import copy
import importlib
from pathlib import Path

import pytest

from ganvas.config import ConfigError
from ganvas.papers.claims import SCALES, Band, paper_names, parse, read_paper

ENTRY = {"id": "a", "says": "s", "where": "Table 1", "value": 1.0, "source": "text", "scale": "cpu", "band": {"low": 0}}
CONTENT = {"title": "t", "url": "u", "claim": "c", "family": "GAN", "minutes": {"cpu": 1}, "claims": [ENTRY]}


def changed(**entry):
    content = copy.deepcopy(CONTENT)
    content["claims"][0] |= entry
    return content


def test_what_is_not_said_has_its_meaning():
    (claim,) = parse("p", CONTENT).claims
    assert (claim.plus_minus, claim.kind, claim.unclear, claim.seeds) == (None, "none", None, 1)
    assert 0.0 in claim.band and 1e300 in claim.band and -1e-9 not in claim.band


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"kind": "sd"}, "known are none, se_test"),
        ({"source": "blog"}, "known are text"),
        ({"scale": "large"}, "known are smoke"),
        ({"tolerance": 1}, "tolerance missing or unknown"),
        ({"plus_minus": 2.0}, "give both"),
        ({"kind": "se_test"}, "give both"),
        ({"seeds": 0}, "at least 1"),
        ({"band": {"low": 2, "high": 1}}, "at most"),
        ({"scale": "full"}, "no entry in minutes"),
    ],
)
def test_a_claim_that_is_not_well_formed_is_refused(entry, message):
    with pytest.raises(ValueError, match=message):
        parse("p", changed(**entry))


def test_a_field_that_is_missing_is_named():
    content = copy.deepcopy(CONTENT)
    del content["claims"][0]["band"]
    with pytest.raises((ValueError, KeyError), match="band"):
        parse("p", content)


def test_unknown_papers_and_scales_name_those_there_are():
    with pytest.raises(ConfigError, match="known are .*wgan_gp_figure1"):
        read_paper("gpt")
    with pytest.raises(ConfigError, match="it has cpu"):
        parse("p", CONTENT).at("smoke")


@pytest.mark.parametrize("name", paper_names())
def test_every_paper_is_whole(name):
    paper = read_paper(name)
    assert set(paper.minutes) <= set(SCALES) and "smoke" in paper.minutes
    assert len({(claim.id, claim.scale) for claim in paper.claims}) == len(paper.claims)
    assert callable(importlib.import_module(f"ganvas.papers.{name}").measure)
    assert (Path(__file__).parents[2] / "experiments" / name / "README.md").is_file()


def test_bands_print_as_they_are_read():
    assert [str(Band(low=1.0)), str(Band(high=2.0)), str(Band(1.0, 2.0))] == [">= 1", "<= 2", "[1, 2]"]
