"""Schemas of the commands' root configs: keys and types of what belongs to ganvas itself.

A wrong type fails while Hydra composes. Groups stay open (``Any``): the signature of the class that a group names is
that group's schema.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING


@dataclass
class Budget:
    """Budget of a training."""

    images: int = MISSING


@dataclass
class Every:
    """Interval in images seen."""

    every: int = MISSING


@dataclass
class Grid(Every):
    """Interval and size of sample grids."""

    rows: int = MISSING
    columns: int = MISSING


@dataclass
class Averages(Every):
    """Interval of snapshots, and relative widths of the post-hoc averages."""

    sigmas: list[float] = field(default_factory=list)


@dataclass
class Scoring:
    """Scores in training (``every``, ``*_during``, ``select``) and at the end (``n``, ``seed``)."""

    every: int | None = MISSING
    n_during: int = MISSING
    seed_during: int = MISSING
    select: str | None = MISSING
    n: int = MISSING
    standing: int | None = None
    seed: int = MISSING
    settings: Any = MISSING


@dataclass
class Tracking:
    """Experiment of the run in MLflow, whether a store is used, and the run's place in a sweep."""

    experiment: str = MISSING
    system_metrics: bool = MISSING
    offline: bool = False
    parent: str | None = None
    run_id: str | None = None
    trial: int | None = None
    label: str | None = None


@dataclass
class TrainTracking(Tracking):
    """The same, and the places that a training is copied to."""

    also: list[str] = field(default_factory=list)


@dataclass
class Paths:
    """Folders for downloads, for the cache of references, and for the files of this run."""

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
    freeze: list[str] = field(default_factory=list)
    resume: str | None = None
    trust: list[str] = field(default_factory=list)
    classes: int | None = None
    batch_size: int = MISSING
    workers: int = MISSING
    ema_halflife: int | None = None
    gradient_clip: float | None = None
    accumulate: int = MISSING
    deterministic: bool = False
    cuda_graphs: bool = False
    marginal_bias: str | None = None
    budget: Budget = field(default_factory=Budget)
    log: Every = field(default_factory=Every)
    grid: Grid = field(default_factory=Grid)
    checkpoint: Every = field(default_factory=Every)
    ema: Averages = field(default_factory=Averages)
    score: Scoring = field(default_factory=Scoring)
    tracking: TrainTracking = field(default_factory=TrainTracking)
    paths: Paths = field(default_factory=Paths)
    network: Any = MISSING
    trainer: Any = MISSING
    data: Any = MISSING
    transform: Any = MISSING
    extractor: Any = MISSING
    augment: Any = MISSING
    regulariser: Any = MISSING
    prior: Any = MISSING
    posterior: Any = MISSING
    quantiser: Any = None
    objective: Any = MISSING
    constraint: Any = MISSING
    auxiliary: Any = MISSING
    likelihood: Any = MISSING
    optimizer: Any = MISSING
    schedule: Any = MISSING
    schedules: Any = MISSING
    callbacks: Any = MISSING
    sampler: Any = None
    model: Any = MISSING


@dataclass
class Sweeper:
    """``hydra.sweeper``; docs/reference/sweeps.md says what each value means."""

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
    sources: list[str] = field(default_factory=list)
    table: bool = False
    groups: int = MISSING
    trust: list[str] = field(default_factory=list)
    reference: str | None = None
    data: dict[str, Any] = field(default_factory=dict)
    size: Any = None
    resize: str | None = None
    export_reference: str | None = None
    export_format: str | None = None
    split: str | None = None
    metrics: list[str] | None = None
    n: int = MISSING
    seed: int = MISSING
    batch_size: int = MISSING
    on_disk: int | None = MISSING
    processes: int = MISSING
    ema: float | None = None
    standing: int | None = None
    truncation: float | None = None
    sampler: Any = None
    device: str | None = None
    calibration: bool = MISSING
    ceiling: str = MISSING
    extractor: Any = None
    settings: Any = MISSING
    likelihood: Any = MISSING
    memorisation: Any = MISSING
    parzen: Any = MISSING
    factors: Any = MISSING
    reconstruction: Any = MISSING
    ppl: Any = MISSING
    seen: Any = MISSING
    paths: Paths = field(default_factory=Paths)


@dataclass
class OutputPaths:
    """Folder that a command writes to."""

    output: str = MISSING


@dataclass
class Restore:
    """How ``ganvas sample`` corrupts and restores images."""

    steps: int = MISSING
    lr: float = MISSING
    starts: int = MISSING
    hole: float = MISSING
    noise: float = MISSING
    factor: int = MISSING


@dataclass
class SampleCommand:
    """Root of ``ganvas sample``."""

    source: str | None = None
    trust: list[str] = field(default_factory=list)
    kind: str = MISSING
    n: int = MISSING
    seed: int = MISSING
    classes: Any = None
    columns: int = MISSING
    ema: float | None = None
    standing: int | None = None
    truncation: float | None = None
    group: int | None = None
    sampler: Any = None
    crossover: int | None = None
    device: str | None = None
    restore: Restore = field(default_factory=Restore)
    paths: OutputPaths = field(default_factory=OutputPaths)


@dataclass
class ExportCommand:
    """Root of ``ganvas export``."""

    source: str | None = None
    trust: list[str] = field(default_factory=list)
    license: str | None = None
    register: str | None = None
    experiment: str = MISSING
    push: str | None = None
    paths: OutputPaths = field(default_factory=OutputPaths)


@dataclass
class RerunPaths(OutputPaths):
    """Folder that the rerun is written to, and folders of its data and of its cache now."""

    data: str | None = None
    cache: str | None = None


@dataclass
class DataPlaces:
    """File or folder of the data now, for a data set that has such a key."""

    path: str | None = None
    root: str | None = None


@dataclass
class RerunCommand:
    """Root of ``ganvas rerun``."""

    run_id: str | None = None
    trust: list[str] = field(default_factory=list)
    data: DataPlaces = field(default_factory=DataPlaces)
    paths: RerunPaths = field(default_factory=RerunPaths)


@dataclass
class ReportCommand:
    """Root of ``ganvas report``."""

    studies: list[str] = field(default_factory=list)
    score: str | None = None
    direction: str | None = None
    baseline: str | None = None
    shown: int = MISSING
    open: bool = False
    paths: OutputPaths = field(default_factory=OutputPaths)


@dataclass
class ReproducePaths(OutputPaths):
    """Folders of the data and of the run, and the folder for results of papers."""

    data: str = MISSING
    results: str = MISSING


@dataclass
class ReproduceCommand:
    """Root of ``ganvas reproduce``."""

    paper: str | None = None
    scale: str = MISSING
    seed: int = MISSING
    tracking: Tracking = field(default_factory=Tracking)
    paths: ReproducePaths = field(default_factory=ReproducePaths)
