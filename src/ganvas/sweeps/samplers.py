"""Samplers and pruners by name.

A sampler is made anew for each configuration, from the sampler's seed and the number of configurations before it: what
a search asks for next depends on the study alone, not on how often it was interrupted.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import TypeVar

import optuna
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, PatientPruner
from optuna.samplers import BaseSampler

from ganvas.sweeps.errors import SweepError

_Kind = TypeVar("_Kind")
_STRIDE = 1_000_003
"""Between the seeds of two samplers' settings, more than any study's configurations."""


def _sampler(kind: Callable[..., BaseSampler]) -> Callable[[int, int], BaseSampler]:
    return lambda seed, number: kind(seed=(seed * _STRIDE + number) % 2**32)


def _qmc(seed: int, number: int) -> BaseSampler:
    return optuna.samplers.QMCSampler(seed=seed, scramble=True, warn_independent_sampling=False)


def _cmaes(seed: int, number: int) -> BaseSampler:
    seed = (seed * _STRIDE + number) % 2**32
    return optuna.samplers.CmaEsSampler(seed=seed, n_startup_trials=4, warn_independent_sampling=False)


SAMPLERS: Mapping[str, Callable[[int, int], BaseSampler]] = {
    "grid": _sampler(optuna.samplers.RandomSampler),  # every parameter of a grid is set before the sampler is asked
    "random": _sampler(optuna.samplers.RandomSampler),
    "tpe": _sampler(optuna.samplers.TPESampler),
    "cmaes": _cmaes,
    "qmc": _qmc,
    "nsgaii": _sampler(optuna.samplers.NSGAIISampler),
    "gp": _sampler(optuna.samplers.GPSampler),
}
ONE_OBJECTIVE = ("cmaes",)

PRUNERS: Mapping[str, Callable[[int, int], BasePruner]] = {
    "none": lambda every, images: NopPruner(),
    "median": lambda every, images: MedianPruner(n_startup_trials=4),
    "hyperband": lambda every, images: HyperbandPruner(min_resource=every, max_resource=images, reduction_factor=3),
    "patient": lambda every, images: PatientPruner(MedianPruner(n_startup_trials=4), patience=1),
}


def make_sampler(name: str, seed: int, number: int) -> BaseSampler:
    """The sampler for one configuration.

    Args:
        name: key of :data:`SAMPLERS`.
        seed: of the sampler.
        number: configurations before this one.

    Raises:
        SweepError: unknown name.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return _named(SAMPLERS, "sampler", name)(seed, number)


def make_pruner(name: str, every: int, images: int) -> BasePruner:
    """The pruner of a study; its resource is images seen.

    Args:
        name: key of :data:`PRUNERS`.
        every: images between two scores in training.
        images: budget of a run.

    Raises:
        SweepError: unknown name.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return _named(PRUNERS, "pruner", name)(every, images)


def _named(known: Mapping[str, _Kind], what: str, name: str) -> _Kind:
    if name not in known:
        raise SweepError(f"{what}={name} is unknown; {what} can be {', '.join(known)}")
    return known[name]
