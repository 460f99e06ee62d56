"""Parts as their configs state them. A suite that has one test for each part reads them in every process, at once."""

from functools import cache
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import OmegaConf

from ganvas.config import compose

CONF = Path(__file__).parents[1] / "conf"


@cache
def node(name):
    """The config of one part, as ``objective/hinge``; Hydra composes it only if it consists of several files."""
    text = (CONF / f"{name}.yaml").read_text()
    return compose(name, []) if "defaults:" in text else OmegaConf.create({group(name): OmegaConf.create(text)})


def shipped(name, rest):
    """The part, with what it asks of the rest of a training."""
    return instantiate(OmegaConf.merge(rest, node(name))[group(name)], _convert_="all")


def group(name):
    return name.partition("/")[0]


def names(*groups):
    """Names of all parts of some groups."""
    return [f"{group}/{path.stem}" for group in groups for path in sorted((CONF / group).glob("*.yaml"))]
