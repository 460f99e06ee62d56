"""Dimensions of a search space: each turns one expression of Hydra's sweep syntax into a distribution of Optuna.

=============================================  =====================================
``a,b,c``, ``choice(a, b, c)``, ``glob(*)``     one of these values
``range(1, 5)``, ``range(1, 5, 2)``             integers, or floats in steps; the end is excluded
``interval(0.5, 1)``                            a float
``tag(log, interval(1e-4, 1e-2))``              a float, uniform in its logarithm
``int(interval(1, 8))``                         an integer
=============================================  =====================================
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from ganvas.sweeps import SweepError


class Dimension(ABC):
    """The values that one key of the config may take."""

    log: bool = False
    """Whether the values are searched on a logarithmic scale."""

    @property
    @abstractmethod
    def distribution(self) -> BaseDistribution:
        """The same values as a distribution of Optuna."""

    @abstractmethod
    def suggest(self, trial: optuna.Trial, name: str) -> Any:
        """Let the sampler choose a value.

        Args:
            trial: Optuna's trial that gets the value.
            name: Optuna's name of the parameter.
        """

    @abstractmethod
    def values(self) -> list[Any] | None:
        """List all values in order; None if there are infinitely many."""

    @abstractmethod
    def holds(self, text: str) -> bool:
        """Whether ``text`` is one of the values, as :meth:`text` writes it."""

    def text(self, value: Any) -> str:
        """Write ``value`` as in an override."""
        return str(value)


@final
@dataclass(frozen=True)
class Choice(Dimension):
    """One of several texts, as written in an override."""

    options: tuple[str, ...]

    @property
    def distribution(self) -> BaseDistribution:
        """Categorical distribution over the options."""
        return CategoricalDistribution(self.options)

    def suggest(self, trial: optuna.Trial, name: str) -> Any:
        """Choose one of the options."""
        return trial.suggest_categorical(name, self.options)

    def values(self) -> list[Any] | None:
        """List the options."""
        return list(self.options)

    def holds(self, text: str) -> bool:
        """Whether ``text`` is one of the options."""
        return text in self.options


@final
@dataclass(frozen=True)
class Integers(Dimension):
    """Integers from ``low`` to ``high``, both included."""

    low: int
    high: int
    step: int = 1
    log: bool = False

    @property
    def distribution(self) -> BaseDistribution:
        """Distribution over the integers, uniform or log-uniform."""
        return IntDistribution(self.low, self.high, log=self.log, step=self.step)

    def suggest(self, trial: optuna.Trial, name: str) -> Any:
        """Choose an integer."""
        return trial.suggest_int(name, self.low, self.high, step=self.step, log=self.log)

    def values(self) -> list[Any] | None:
        """List the integers."""
        return list(range(self.low, self.high + 1, self.step))

    def holds(self, text: str) -> bool:
        """Whether ``text`` is one of the integers."""
        found = _read(int, text)
        inside = found is not None and self.low <= found <= self.high and (found - self.low) % self.step == 0
        return inside and self.text(found) == text


@final
@dataclass(frozen=True)
class Reals(Dimension):
    """Floats from ``low`` to ``high``; a grid with ``high`` included if there is a ``step``."""

    low: float
    high: float
    step: float | None = None
    log: bool = False

    def text(self, value: Any) -> str:
        """Round to six significant digits: finer than any effect, and readable."""
        return f"{value:.6g}"

    @property
    def distribution(self) -> BaseDistribution:
        """Distribution over the floats, uniform or log-uniform."""
        return FloatDistribution(self.low, self.high, log=self.log, step=self.step)

    def suggest(self, trial: optuna.Trial, name: str) -> Any:
        """Choose a float."""
        return trial.suggest_float(name, self.low, self.high, step=self.step, log=self.log)

    def values(self) -> list[Any] | None:
        """List the grid; None without a step."""
        if self.step is None:
            return None
        return [self.low + i * self.step for i in range(round((self.high - self.low) / self.step) + 1)]

    def holds(self, text: str) -> bool:
        """Whether ``text`` is one of the floats; of a grid, which :meth:`text` rounds, one between its ends."""
        found = _read(float, text)
        low, high = float(self.text(self.low)), float(self.text(self.high))
        return found is not None and low <= found <= high and self.text(found) == text


def _read(kind: Callable[[str], Any], text: str) -> Any:
    try:
        return kind(text)
    except ValueError:
        return None


def dimension(override: Any) -> Dimension:
    """Read the dimension of a swept override.

    Args:
        override: ``Override`` as Hydra's parser returns it, with a sweep as its value.

    Raises:
        SweepError: impossible bounds, such as a logarithmic interval from 0.
    """
    read = next(read for says, read in _READERS.items() if getattr(override, says)())
    try:
        made = read(override)
        _ = made.distribution
    except (ValueError, SweepError) as error:
        raise SweepError(f"{override.input_line}: {error}; write for example tag(log, interval(1e-4, 1e-2))") from error
    return made


def _choice(override: Any) -> Dimension:
    return Choice(tuple(dict.fromkeys(override.sweep_string_iterator())))


def _range(override: Any) -> Dimension:
    sweep, log = override.value(), "log" in override.value().tags
    points = [float(text) for text in override.sweep_string_iterator()]
    if not points:
        raise ValueError("the range is empty")
    low, high = min(points), max(points)
    if all(isinstance(bound, int) for bound in (sweep.start, sweep.stop, sweep.step)):
        return Integers(int(low), int(high), 1 if log else abs(sweep.step), log)
    return Reals(low, high, None if log else abs(float(sweep.step)), log)


def _interval(override: Any) -> Dimension:
    sweep = override.value()
    kind: type[Integers] | type[Reals] = Integers if isinstance(sweep.start, int) else Reals
    return kind(sweep.start, sweep.end, log="log" in sweep.tags)


_READERS: dict[str, Callable[[Any], Dimension]] = {
    "is_choice_sweep": _choice,
    "is_range_sweep": _range,
    "is_interval_sweep": _interval,
}
