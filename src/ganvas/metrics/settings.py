"""Settings of metrics: a name, a shipped value and a range each, and the values of one measurement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, final


@final
@dataclass(frozen=True)
class Setting:
    """A setting of a metric.

    Args:
        name: key below ``settings`` in the config, for example ``kid_subsets``; with a dot, the full path, for example
            ``likelihood.k``.
        value: default; other values must have its type. None stands for an optional whole number.
        says: description in one line, with the paper's value.
        least: smallest allowed value; None if there is no lower bound.
        below: upper bound, which is itself not allowed; None if there is no upper bound.
        decides: whether scores with different values are not comparable. False for batch sizes, and for a number of
            images that is reduced to the number available: the metric states the true number in its conditions.
    """

    name: str
    value: Any
    says: str
    least: int | float | None = None
    below: int | float | None = None
    decides: bool = True

    def check(self, value: Any) -> None:
        """Raise ValueError, with the setting's name, for a value of another type or out of range."""
        if value is None and self.value is None:
            return
        kind = int if self.value is None else type(self.value)
        if kind in _KINDS and not _is(kind, value):
            raise ValueError(f"{self.name}: expected {_KINDS[kind]}, got {value!r}; as shipped it is {self.value}")
        if self.below is not None and not (self.least or 0) < value < self.below:
            raise ValueError(
                f"{self.name}: expected a share in ({self.least or 0}, {self.below}), got {value}; write {self.value}"
            )
        if self.below is None and self.least is not None and value < self.least:
            raise ValueError(f"{self.name}: expected at least {self.least}, got {value}; raise it to {self.least}")


_KINDS: Final[Mapping[type, str]] = {int: "a whole number", float: "a number", list: "a list of numbers"}


def _is(kind: type, value: Any) -> bool:
    """Check the type of a value; a whole number is also a number, and a bool is not."""
    if kind is list:
        return isinstance(value, list) and all(_is(float, x) for x in value)
    return isinstance(value, int if kind is int else (int, float)) and not isinstance(value, bool)


@final
class Settings(Mapping[str, Any]):
    """Values of all metrics' settings by name; a name without a dot is also an attribute."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._values:
            raise AttributeError(name)
        return self._values[name]

    def replace(self, **changes: Any) -> Settings:
        """Copy the settings with new values for some; raise ValueError for an unknown name."""
        unknown = set(changes) - set(self._values)
        if unknown:
            raise ValueError(
                f"settings: no metric has {', '.join(sorted(unknown))}; there are {', '.join(self._values)}"
            )
        return Settings({**self._values, **changes})
