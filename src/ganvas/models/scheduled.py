"""Scheduled numbers of a model, by name.

``optimizer.lr``, ``optimizer.betas`` and ``optimizer.momentum`` belong to all optimisers, ``critic_optimizer.lr`` to
one. ``constraint.weight``, ``constraint.parts.r1.weight`` and ``objective.beta`` are fields of constraint and
objective. ``ema_halflife`` is the half-life of the averaged weights.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, final

from ganvas.models.schedules import Constant, Schedule
from ganvas.nested import leaves


class ScheduleError(ValueError):
    """Raised if a schedule does not fit the model's numbers."""


@final
class Scheduled:
    """Schedules, by the name of the number that each sets.

    Args:
        named: schedules, nested or by dotted name, such as ``{"constraint": {"weight": WarmUp(1000)}}``.
    """

    def __init__(self, named: Mapping[str, Any]) -> None:
        self._by_name = dict(leaves(named))

    def check(self, parts: Mapping[str, Any]) -> None:
        """Check that each schedule belongs to a number of the model and has the shape of that number.

        Args:
            parts: objectives, constraints or parameter groups, by the first word of their numbers' names.

        Raises:
            ScheduleError: the model has no such number, or the schedule gives another number of values.
        """
        known = {word: dict(_numbers(word, part)) for word, part in parts.items()}
        for name, schedule in self._by_name.items():
            numbers = known.get(name.partition(".")[0], {})
            if name not in numbers:
                words = [word for word in known if not word.endswith("_optimizer")]
                shown = ", ".join(n for word in words for n in sorted(known[word]))
                raise ScheduleError(f"schedules.{name}: the model has no such number to move; it has {shown}")
            _check_shape(name, schedule, numbers[name])

    def moving(self) -> tuple[str, ...]:
        """Return the names of the numbers that change in the training."""
        return tuple(name for name, schedule in self._by_name.items() if not isinstance(schedule, Constant))

    def moved(self, word: str, base: Any, images_seen: int) -> Any:
        """Copy a part with its scheduled numbers set; return the part itself if none of them has a schedule.

        Args:
            word: first word of the numbers' names.
            base: the part as in the config.
            images_seen: images seen by the model.
        """
        for path, schedule in self._of(word):
            base = _replaced(base, path, schedule, images_seen)
        return base

    def move_groups(self, word: str, groups: Sequence[dict[str, Any]], images_seen: int) -> None:
        """Set the scheduled numbers of an optimiser, which keeps their values from the config under ``initial_<key>``.

        Args:
            word: first word of the numbers' names.
            groups: parameter groups, changed in place.
            images_seen: images seen by the model.
        """
        for (key,), schedule in self._of(word):
            for group in groups:
                group[key] = schedule.value(group.setdefault(f"initial_{key}", group[key]), images_seen)

    def _of(self, word: str) -> Iterator[tuple[list[str], Schedule]]:
        for name, schedule in self._by_name.items():
            first, *path = name.split(".")
            if first == word:
                yield path, schedule


def _inside(part: Any) -> Mapping[str, Any]:
    """Return names and values one level below a part."""
    if isinstance(part, Mapping):
        return {name: value for name, value in part.items() if name != "params"}
    return {field.name: getattr(part, field.name) for field in fields(part)} if is_dataclass(part) else {}


def _numbers(name: str, part: Any) -> Iterator[tuple[str, Any]]:
    """Yield names and values of a part's numbers, except integer fields such as ``every``: they have no schedule."""
    if isinstance(part, int | float | list | tuple) and not isinstance(part, bool):
        yield name, part
    whole = {field.name for field in fields(part) if field.type in ("int", int)} if is_dataclass(part) else ()
    for inner, value in _inside(part).items():
        if inner not in whole:
            yield from _numbers(f"{name}.{inner}", value)


def _check_shape(name: str, schedule: Any, stated: Any) -> None:
    """Check that ``schedule`` is a schedule and gives as many values as the config."""
    if not isinstance(schedule, Schedule):
        fix = f"write +schedule@schedules.{name}=warm_up, or ramp"
        raise ScheduleError(f"schedules.{name}: got {schedule!r}, expected a schedule; {fix}")
    start = schedule.value(stated, 0)
    if _length(start) != _length(stated):
        fix = f"write start and end of schedules.{name} like it"
        raise ScheduleError(f"schedules.{name}: it starts at {start!r}, expected as many numbers as {stated!r}; {fix}")


def _length(value: Any) -> int | None:
    return len(value) if isinstance(value, Sequence) else None


def _replaced(part: Any, path: Sequence[str], schedule: Schedule, images_seen: int) -> Any:
    if not path:
        return schedule.value(part, images_seen)
    inner = _replaced(_inside(part)[path[0]], path[1:], schedule, images_seen)
    if isinstance(part, Mapping):
        return {**part, path[0]: inner}
    # dataclasses.replace would validate: a schedule may set a weight to 0, a config may not.
    moved = copy.copy(part)
    object.__setattr__(moved, path[0], inner)
    return moved
