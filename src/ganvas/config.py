"""The config: schema of the root, resolvers, checks before anything is built, and :func:`build`.

Groups stay open (``Any``): the signature of the class that a group names is that group's schema, and ``instantiate``
refuses an argument it does not know. What belongs to ganvas itself is typed here: a wrong type fails while composing.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import hydra
import hydra.utils
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from omegaconf import MISSING, DictConfig, ListConfig, OmegaConf

CONFIG_PATH = "pkg://ganvas.conf"


class ConfigError(Exception):
    """The config cannot be run: bad input, told in one message."""

    exit_code = 2


@dataclass
class Budget:
    """When to stop."""

    images: int = MISSING


@dataclass
class Every:
    """How often, in images seen."""

    every: int = MISSING


@dataclass
class Grid(Every):
    """Sample grids: how often and how large."""

    rows: int = MISSING
    columns: int = MISSING


@dataclass
class Scoring:
    """Scores in training (``every``, ``*_during``, ``select``) and at the end (``n``, ``seed``)."""

    every: int | None = MISSING
    n_during: int = MISSING
    seed_during: int = MISSING
    select: str | None = MISSING
    n: int = MISSING
    seed: int = MISSING
    settings: Any = MISSING


@dataclass
class Tracking:
    """What MLflow is told besides the run itself."""

    experiment: str = MISSING
    system_metrics: bool = MISSING
    parent: str | None = None
    run_id: str | None = None
    trial: int | None = None
    label: str | None = None


@dataclass
class Paths:
    """Where downloads and what depends on references alone are kept, and where this run writes."""

    data: str = MISSING
    cache: str = MISSING
    output: str = MISSING


@dataclass
class Train:
    """Root of ``ganvas train``."""

    seed: int = MISSING
    study: str | None = None
    init_from: str | None = None
    init_parts: list[str] | None = None
    resume: str | None = None
    batch_size: int = MISSING
    workers: int = MISSING
    ema_halflife: int | None = None
    gradient_clip: float | None = None
    marginal_bias: str | None = None
    budget: Budget = field(default_factory=Budget)
    log: Every = field(default_factory=Every)
    grid: Grid = field(default_factory=Grid)
    checkpoint: Every = field(default_factory=Every)
    score: Scoring = field(default_factory=Scoring)
    tracking: Tracking = field(default_factory=Tracking)
    paths: Paths = field(default_factory=Paths)
    network: Any = MISSING
    trainer: Any = MISSING
    data: Any = MISSING
    transform: Any = MISSING
    extractor: Any = MISSING
    prior: Any = MISSING
    objective: Any = MISSING
    constraint: Any = MISSING
    likelihood: Any = MISSING
    optimizer: Any = MISSING
    schedule: Any = MISSING
    schedules: Any = MISSING
    model: Any = MISSING


@dataclass
class Sweeper:
    """``hydra.sweeper``; docs/sweeps.md says what each value means."""

    _target_: str = "hydra_plugins.ganvas_sweeper.sweeper.GanvasSweeper"
    params: dict[str, Any] = field(default_factory=dict)
    when: dict[str, Any] = field(default_factory=dict)
    seeds: Any = None
    sampler: str = "grid"
    sampler_seed: int = 1
    n_trials: int | None = None
    pruner: str = "none"
    prune_on: Any = field(default_factory=list)
    objective: Any = None
    direction: Any = "minimize"
    aggregate: str = "mean"
    racing: float | None = None
    storage: str | None = None
    batch: int | None = None


@dataclass
class ScoreCommand:
    """Root of ``ganvas score``."""

    source: str | None = None
    reference: str | None = None
    data: dict[str, Any] = field(default_factory=dict)
    export_reference: str | None = None
    split: str | None = None
    metrics: list[str] | None = None
    n: int = MISSING
    seed: int = MISSING
    batch_size: int = MISSING
    device: str | None = None
    calibration: bool = MISSING
    ceiling: str = MISSING
    extractor: Any = None
    settings: Any = MISSING
    likelihood: Any = MISSING
    memorisation: Any = MISSING
    parzen: Any = MISSING
    paths: Paths = field(default_factory=Paths)


@dataclass
class OutputPaths:
    """Where a command writes."""

    output: str = MISSING


@dataclass
class SampleCommand:
    """Root of ``ganvas sample``."""

    source: str | None = None
    kind: str = MISSING
    n: int = MISSING
    seed: int = MISSING
    columns: int = MISSING
    device: str | None = None
    paths: OutputPaths = field(default_factory=OutputPaths)


@dataclass
class RerunPaths(OutputPaths):
    """Where the rerun is written, and where its data are now."""

    data: str | None = None


@dataclass
class RerunCommand:
    """Root of ``ganvas rerun``."""

    run_id: str | None = None
    paths: RerunPaths = field(default_factory=RerunPaths)


@dataclass
class ReportCommand:
    """Root of ``ganvas report``."""

    studies: list[str] = field(default_factory=list)
    score: str | None = None
    direction: str | None = None
    baseline: str | None = None
    shown: int = MISSING
    paths: OutputPaths = field(default_factory=OutputPaths)


@dataclass
class ReproducePaths(Paths):
    """Where findings are kept besides."""

    results: str = MISSING


@dataclass
class ReproduceCommand:
    """Root of ``ganvas reproduce``."""

    paper: str | None = None
    scale: str = MISSING
    seed: int = MISSING
    tracking: Tracking = field(default_factory=Tracking)
    paths: ReproducePaths = field(default_factory=ReproducePaths)


def _critic_shape(*, _root_: DictConfig) -> ListConfig:
    """Shape a critic reads: the data's, its channels times the packing degree where the model packs."""
    channels, *rest = _root_.data.shape
    return ListConfig([channels * OmegaConf.select(_root_, "model.critic.pack", default=1), *rest])


def _share(fraction: float, *, _root_: DictConfig) -> int:
    """A share of the budget, in images; at least one batch."""
    return max(int(float(fraction) * _root_.budget.images), _root_.batch_size)


def register() -> None:
    """Make schemas and resolvers known to Hydra and OmegaConf; may be called again."""
    ConfigStore.instance().store(group="hydra/sweeper", name="ganvas", node=Sweeper, provider="ganvas")
    ConfigStore.instance().store(name="train_schema", node=Train)
    # A mapping that takes new keys on the command line, where Hydra refuses them.
    ConfigStore.instance().store(name="any_keys", node=OmegaConf.create({}, flags={"struct": False}))
    ConfigStore.instance().store(name="score_schema", node=ScoreCommand)
    ConfigStore.instance().store(name="sample_schema", node=SampleCommand)
    ConfigStore.instance().store(name="rerun_schema", node=RerunCommand)
    ConfigStore.instance().store(name="report_schema", node=ReportCommand)
    ConfigStore.instance().store(name="reproduce_schema", node=ReproduceCommand)
    resolvers: dict[str, Callable[..., Any]] = {
        "critic_shape": _critic_shape,
        "share": _share,
    }
    for name, resolver in resolvers.items():
        OmegaConf.register_new_resolver(name, resolver, replace=True)


def build(node: DictConfig) -> Any:
    """The object a config node describes; containers arrive as plain lists and dicts.

    Raises:
        ConfigError: the node's class does not know an argument, or refuses its value; the message is its own.
    """
    try:
        return hydra.utils.instantiate(node, _convert_="all")
    except hydra.errors.InstantiationException as error:
        cause = error.__cause__
        if cause is None or isinstance(cause, TypeError):
            raise ConfigError(" ".join(str(error).split())) from error
        if isinstance(cause, ValueError):
            raise ConfigError(str(cause)) from error
        raise cause from None  # the wrapper's own cause is this error: chained to it, the chain would never end


def check(cfg: DictConfig) -> None:
    """Refuse what can be seen to be wrong before anything is built.

    Raises:
        ConfigError: a value is missing, or the network lacks a part that the model needs.
    """
    offered = [str(part) for part in cfg.network if part != "name"]
    lacking = [part for part in _parts_asked(cfg.model) if part not in offered]
    if lacking:
        asked = " and ".join(_parts_asked(cfg.model))
        raise ConfigError(
            f"model needs a network with {asked}, but network={cfg.network.name} offers only "
            f"{' and '.join(offered)}; write network=mlp, which offers all four"
        )
    missing = sorted(OmegaConf.missing_keys(cfg))
    if missing:
        raise ConfigError(f"no value for {', '.join(missing)}; write {missing[0]}=VALUE")


def _parts_asked(model: DictConfig) -> list[str]:
    """Parts of the network that a model's config points to, at any depth."""
    written = OmegaConf.to_yaml(model, resolve=False)
    return list(dict.fromkeys(re.findall(r"\$\{network\.(\w+)\}", written)))


def compose(root: str, overrides: list[str]) -> DictConfig:
    """The config of a command, as the command line composes it: inside a running command, or by itself.

    Args:
        root: name of the command's root config, as ``train``.
        overrides: as on the command line.
    """
    with _initialised():
        return hydra.compose(root, overrides)


def choices(group: str) -> list[str]:
    """The configs of a group: shipped ones, and inside a running command those of its ``--config-dir`` too.

    Files that begin with ``_`` are left out: other configs of the group share them, and none stands alone.

    Args:
        group: as ``data``.
    """
    with _initialised():
        options = GlobalHydra.instance().config_loader().get_group_options(group)
    return [option for option in options if not option.startswith("_")]


@contextmanager
def _initialised() -> Iterator[None]:
    if GlobalHydra.instance().is_initialized():
        yield
        return
    with hydra.initialize_config_module("ganvas.conf", version_base="1.3"):
        yield


def resolved(cfg: DictConfig) -> dict[str, Any]:
    """The config with every interpolation worked out, as plain containers."""
    return OmegaConf.to_container(cfg, resolve=True)  # type: ignore[return-value]


def closest(word: str, known: list[str]) -> str:
    """What ``word`` may have been meant to be, as the end of a sentence."""
    matches = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean {matches[0]}?" if matches else "."


register()
