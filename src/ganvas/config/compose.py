"""Configs as the command line composes them, and what Hydra and OmegaConf must know before it does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any, Final

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, ListConfig, OmegaConf

from ganvas.config import schema
from ganvas.config.several import spelled_out

CONFIG_PATH: Final = "pkg://ganvas.conf"


def _folder_shape(channels: int, size: Any) -> ListConfig:
    """Channels, height and width of images whose size is one number, or height and width."""
    return ListConfig([channels, *(size if OmegaConf.is_list(size) else (size, size))])


def _data_shape(root: DictConfig) -> list[int]:
    """Shape of one example; what is none is named by its own key, and not by the key that asked for it."""
    shape = list(root.data.shape) if OmegaConf.is_list(root.data.shape) else root.data.shape
    if not isinstance(shape, list) or not shape or not all(isinstance(size, int) for size in shape):
        raise ValueError(f"data.shape={shape}: expected a list of whole numbers")
    return shape


def _prior_dim(root: DictConfig) -> int:
    """Dimension of the prior, see :func:`_data_shape`."""
    if not isinstance(dim := root.prior.dim, int):
        raise ValueError(f"prior.dim={dim}: expected a whole number")
    return dim


def _critic_shape(*, _root_: DictConfig) -> ListConfig:
    """Shape that a critic reads: that of the data with a channel for each class, times the examples of a pack."""
    channels, *rest = _data_shape(_root_)
    node = OmegaConf.select(_root_, "model.critic")
    while OmegaConf.is_dict(node):  # wrappers, outermost first
        channels = (channels + (node.get("labels") or 0)) * node.get("pack", 1)
        node = node.get("critic")
    return ListConfig([channels, *rest])


def _encoder_shape(*, _root_: DictConfig) -> ListConfig:
    """Shape that an encoder reads: that of the data, with a channel for each class where it reads classes."""
    channels, *rest = _data_shape(_root_)
    return ListConfig([channels + (OmegaConf.select(_root_, "model.encoder.labels") or 0), *rest])


def _decoder_latents(*, _root_: DictConfig) -> int:
    """Number of latents that a decoder takes: those of the prior, and the classes where these are latents too."""
    return _prior_dim(_root_) + (OmegaConf.select(_root_, "model.decoder.labels") or 0)


def _generator_latents(*, _root_: DictConfig) -> int:
    """Number of latents that a generator takes: those of the prior, and the classes where these are latents too."""
    return _prior_dim(_root_) + (OmegaConf.select(_root_, "model.generator.labels") or 0)


def _quantised(size: str, *, _root_: DictConfig) -> int:
    """Return a size of the quantiser: ``dim`` of a vector, values of a code (``codes``), codes at a place (``depth``).

    A quantiser of levels has one coordinate for each, and a code for each combination of them.
    """
    node: Any = _root_.quantiser or {}
    if "levels" in node:
        return {"dim": len(node.levels), "codes": prod(node.levels), "depth": 1}[size]
    return int(node.get(size, 1))


def _share(fraction: float, *, _root_: DictConfig) -> int:
    """Return a share of the budget in images, at least one batch."""
    return max(int(float(fraction) * _root_.budget.images), _root_.batch_size)


def report_folder(studies: Sequence[str]) -> str:
    """Return the folder of a report where no other is named: below that of the sweep, whose ``result.json`` stays.

    Args:
        studies: names of the studies.
    """
    name = re.sub(r"[^\w.+-]", "_", "+".join(studies)).lstrip(".")
    return str(Path("outputs", name, "report"))


SCHEMAS: Final = {
    "train": schema.Train,
    "score": schema.ScoreCommand,
    "sample": schema.SampleCommand,
    "export": schema.ExportCommand,
    "rerun": schema.RerunCommand,
    "report": schema.ReportCommand,
    "reproduce": schema.ReproduceCommand,
}
RESOLVERS: Final[dict[str, Callable[..., Any]]] = {
    "critic_shape": _critic_shape,
    "decoder_latents": _decoder_latents,
    "encoder_shape": _encoder_shape,
    "folder_shape": _folder_shape,
    "generator_latents": _generator_latents,
    "quantised": _quantised,
    "report_folder": report_folder,
    "share": _share,
}


def register() -> None:
    """Make schemas and resolvers known to Hydra and OmegaConf; may be called again."""
    store = ConfigStore.instance()
    store.store(group="hydra/sweeper", name="ganvas", node=schema.Sweeper, provider="ganvas")
    # A mapping that takes new keys on the command line, where Hydra refuses them.
    store.store(name="any_keys", node=OmegaConf.create({}, flags={"struct": False}))
    for command, node in SCHEMAS.items():
        store.store(name=f"{command}_schema", node=node)
    for name, resolver in RESOLVERS.items():
        OmegaConf.register_new_resolver(name, resolver, replace=True)


def compose(root: str, overrides: list[str]) -> DictConfig:
    """Compose the config of a command as the command line does, inside a running command or alone.

    Args:
        root: name of the command's root config, as ``train``.
        overrides: as on the command line.
    """
    with _initialised():
        return hydra.compose(root, spelled_out(overrides))


def choices(group: str) -> list[str]:
    """List the configs of a group; inside a running command those of its ``--config-dir`` are among them.

    Files that begin with ``_`` are left out: other configs of the group share them, and none stands alone.

    Args:
        group: as ``data``.
    """
    with _initialised():
        names = GlobalHydra.instance().config_loader().get_group_options(group)
    return [name for name in names if not name.startswith("_")]


@contextmanager
def _initialised() -> Iterator[None]:
    if GlobalHydra.instance().is_initialized():
        yield
        return
    with hydra.initialize_config_module("ganvas.conf", version_base="1.3"):
        yield
