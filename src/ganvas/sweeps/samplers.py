"""Samplers by name.

A new sampler is made for each trial, seeded by the sampler's seed and the number of trials before it. So the next
values of a search depend on the study alone, not on how often the search was interrupted.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import TypeVar

import optuna
from optuna.samplers import BaseSampler

from ganvas.sweeps import SweepError

_Kind = TypeVar("_Kind")
_STRIDE = 1_000_003
"""Distance between the derived seeds of two consecutive ``sampler_seed``; larger than the trials of any study."""


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


def make_sampler(name: str, seed: int, number: int) -> BaseSampler:
    """Make the sampler for one trial.

    Args:
        name: key of :data:`SAMPLERS`.
        seed: ``hydra.sweeper.sampler_seed``.
        number: number of trials before this one.

    Raises:
        SweepError: an unknown name.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return named(SAMPLERS, "sampler", name)(seed, number)


def named(known: Mapping[str, _Kind], what: str, name: str) -> _Kind:
    """Look up a name in a registry.

    Args:
        known: entries of the registry by name.
        what: word for an entry in the error message.
        name: key of ``known``.

    Raises:
        SweepError: an unknown name.
    """
    if name not in known:
        raise SweepError(f"{what}={name} is unknown; {what} can be {', '.join(known)}")
    return known[name]
