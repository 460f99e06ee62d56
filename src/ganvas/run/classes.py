"""The number of classes of a conditional model, which its config takes from the data before anything is built."""

from __future__ import annotations

from typing import Any, Final

from omegaconf import MISSING, DictConfig, OmegaConf, open_dict
from omegaconf.errors import InterpolationToMissingValueError

from ganvas.config import ConfigError
from ganvas.data.datamodule import DataModule

COUNTS: Final = frozenset({"classes", "labels", "outputs"})
"""Names of the arguments of networks and objectives that are the number of classes."""
_SIZES: Final = frozenset({"shape", "latent_dim"})
"""Names of the arguments of networks that follow from prior, data and, where these are inputs, classes."""
_PARTS: Final = ("model", "network", "auxiliary")


def fill_classes(cfg: DictConfig, data: DataModule) -> None:
    """Set ``classes`` to the number of classes of the data, if the model asks for it and no number is given.

    Args:
        cfg: the composed config, changed in place.
        data: the data to train on.

    Raises:
        ConfigError: the model asks for classes, and the data have no labels.
    """
    if cfg.get("classes") is not None or not _asks(cfg):
        return
    labels = data.examples("train").labels
    if labels is None:
        raise ConfigError(
            f"the model is conditional on classes, data={data.source.name} has no labels; choose a data set with "
            "classes, or a model without"
        )
    known = data.source.classes
    with open_dict(cfg):
        cfg.classes = int(labels.max()) + 1 if known is None else len(known)


def without_classes(values: dict[str, Any]) -> dict[str, Any]:
    """Leave out of a config what follows from the number of classes, which is a fact of the data.

    A sweep composes and hashes a config before its data are read, and a recorded config holds the number.

    Args:
        values: the config as plain values.
    """
    rest = {key: value for key, value in values.items() if key != "classes"}
    offered = rest.get("network")
    if isinstance(offered, dict):  # what the model uses of it stands in the model too
        rest["network"] = {key: value for key, value in offered.items() if not key.startswith("conditional_")}
    if not _has_counts(rest.get("model")):
        return rest
    return {key: _dropped(value) if key in _PARTS else value for key, value in rest.items()}


def _asks(cfg: DictConfig) -> bool:
    """Whether the model needs the number of classes: without one its config cannot be resolved."""
    other = cfg.copy()
    with open_dict(other):
        other.classes = MISSING
    try:
        OmegaConf.to_container(other.model, resolve=True)
    except InterpolationToMissingValueError:
        return True
    return False


def _has_counts(node: Any) -> bool:
    if isinstance(node, dict):
        return bool(COUNTS & node.keys()) or any(map(_has_counts, node.values()))
    return False


def _dropped(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    return {key: _dropped(value) for key, value in node.items() if key not in COUNTS | _SIZES}
