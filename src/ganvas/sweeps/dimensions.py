"""One searched value each: Hydra's sweep syntax on one side, Optuna's distributions on the other.

=============================================  =====================================
``a,b,c``, ``choice(a, b, c)``, ``glob(*)``     one of these
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

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import Trial

from ganvas.sweeps.errors import SweepError


class Dimension(ABC):
    """What one key of the config may be set to."""

    @property
    @abstractmethod
    def distribution(self) -> BaseDistribution:
        """Optuna's."""

    @abstractmethod
    def suggest(self, trial: Trial, name: str) -> Any:
        """Let the sampler choose.

        Args:
            trial: that asks.
            name: of the parameter.
        """

    @abstractmethod
    def values(self) -> list[Any] | None:
        """All there are, in order; None where there are too many to list."""

    def text(self, value: Any) -> str:
        """``value`` as it stands in an override."""
        return str(value)


@final
@dataclass(frozen=True)
class Choice(Dimension):
    """One of several, as they stand in an override."""

    options: tuple[str, ...]

    @property
    def distribution(self) -> BaseDistribution:
        """Categorical."""
        return CategoricalDistribution(self.options)

    def suggest(self, trial: Trial, name: str) -> Any:
        """One of the options."""
        return trial.suggest_categorical(name, self.options)

    def values(self) -> list[Any] | None:
        """The options."""
        return list(self.options)


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
        """Of integers."""
        return IntDistribution(self.low, self.high, log=self.log, step=self.step)

    def suggest(self, trial: Trial, name: str) -> Any:
        """An integer."""
        return trial.suggest_int(name, self.low, self.high, step=self.step, log=self.log)

    def values(self) -> list[Any] | None:
        """Each of them."""
        return list(range(self.low, self.high + 1, self.step))


@final
@dataclass(frozen=True)
class Reals(Dimension):
    """Floats from ``low`` to ``high``; with a ``step``, ``high`` included."""

    low: float
    high: float
    step: float | None = None
    log: bool = False

    def text(self, value: Any) -> str:
        """To six digits, which is more than any effect, and can be read."""
        return f"{value:.6g}"

    @property
    def distribution(self) -> BaseDistribution:
        """Of floats."""
        return FloatDistribution(self.low, self.high, log=self.log, step=self.step)

    def suggest(self, trial: Trial, name: str) -> Any:
        """A float."""
        return trial.suggest_float(name, self.low, self.high, step=self.step, log=self.log)

    def values(self) -> list[Any] | None:
        """The steps."""
        if self.step is None:
            return None
        return [self.low + i * self.step for i in range(round((self.high - self.low) / self.step) + 1)]


def dimension(override: Any) -> Dimension:
    """The dimension of a swept override.

    Args:
        override: Hydra's parsed ``Override``, a sweep.

    Raises:
        SweepError: bounds that cannot be.
    """
    read = next(read for says, read in _READERS.items() if getattr(override, says)())
    try:
        made = read(override)
        _ = made.distribution
    except (ValueError, SweepError) as error:
        raise SweepError(f"{override.input_line}: {error}; write tag(log, interval(1e-4, 1e-2)), say") from error
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
