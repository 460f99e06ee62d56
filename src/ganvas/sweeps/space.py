"""The search space of a sweep: fixed values, dimensions, conditional branches, seeds.

The command line wins over the sweep file: a key that the command line fixes is not searched in any branch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna

from ganvas.sweeps import SweepError
from ganvas.sweeps.dimensions import Dimension, dimension

Parse = Callable[[list[str]], list[Any]]
"""Hydra's parser of overrides."""
SEED = "seed"
PLACES = ("paths.output", "resume", "study", "tracking.label", "tracking.parent", "tracking.run_id", "tracking.trial")
"""Keys that the sweep itself gives each job."""


@dataclass(frozen=True)
class Branch:
    """Dimensions and fixed values that exist only if ``key`` has one of the values ``options``."""

    key: str
    options: tuple[str, ...]
    dimensions: Mapping[str, Dimension]
    fixed: Mapping[str, str]

    def holds(self, values: Mapping[str, str]) -> bool:
        """Whether the condition is met by the values set so far."""
        return values.get(self.key) in self.options

    def __str__(self) -> str:
        return f"{self.key}={','.join(self.options)}"


@dataclass(frozen=True)
class Space:
    """The search space: fixed values, dimensions, conditional branches, seeds.

    Args:
        fixed: values by key that every trial has.
        dimensions: dimensions by key that every trial has.
        branches: dimensions that exist under a condition only.
        seeds: seeds that each trial is trained with.
    """

    fixed: Mapping[str, str]
    dimensions: Mapping[str, Dimension]
    branches: Sequence[Branch] = ()
    seeds: tuple[int, ...] = (1,)

    def suggest(self, trial: optuna.Trial) -> dict[str, str]:
        """Let the study's sampler choose every dimension that exists.

        Args:
            trial: Optuna's trial that gets the values.

        Returns:
            Swept values by key, as written in overrides.
        """
        chosen: dict[str, str] = {}
        while pending := self._pending(chosen):
            key, kind = next(iter(pending.items()))
            chosen[key] = kind if isinstance(kind, str) else kind.text(kind.suggest(trial, self.name(key, kind)))
        return chosen

    def holds(self, values: Mapping[str, str]) -> bool:
        """Whether values by key, as written in overrides, are a point of the space."""
        chosen: dict[str, str] = {}
        while pending := self._pending(chosen):
            key, kind = next(iter(pending.items()))
            text = values.get(key)
            if text is None or not (text == kind if isinstance(kind, str) else kind.holds(text)):
                return False
            chosen[key] = text
        return chosen == values

    def grid(self) -> Iterator[tuple[dict[str, str], dict[str, Any]]]:
        """Yield every point of the grid, the last key fastest.

        Yields:
            Swept values by key, and Optuna's parameters by name.

        Raises:
            SweepError: a dimension has no list of values.
        """
        yield from self._grid({}, {})

    def name(self, key: str, kind: Dimension) -> str:
        """Optuna's name of a dimension: its key, with the condition if two branches give the key different ranges.

        Args:
            key: key of the config.
            kind: one of the dimensions of that key.
        """
        others = [b.dimensions[key] for b in self.branches if key in b.dimensions]
        if key in self.dimensions or all(other == kind for other in others):
            return key
        return f"{key} where {next(b for b in self.branches if b.dimensions.get(key) == kind)}"

    def keys(self) -> list[str]:
        """List the keys of the config that a trial of this space can set."""
        inner = [key for branch in self.branches for key in (*branch.fixed, *branch.dimensions)]
        return list(dict.fromkeys([*self.dimensions, *inner]))

    def describe(self) -> dict[str, str]:
        """Describe each dimension in text, so that two spaces can be compared."""
        shared = {key: str(kind) for key, kind in self.dimensions.items()}
        for branch in self.branches:
            shared |= {f"{key} where {branch}": str(kind) for key, kind in branch.dimensions.items()}
            shared |= {f"{key} where {branch}": value for key, value in branch.fixed.items()}
        return shared

    def logarithmic(self) -> list[str]:
        """Keys that are searched on a logarithmic scale, in any branch."""
        found = [*self.dimensions.items(), *(pair for branch in self.branches for pair in branch.dimensions.items())]
        return sorted({key for key, kind in found if kind.log})

    def _grid(self, chosen: dict[str, str], named: dict[str, Any]) -> Iterator[tuple[dict[str, str], dict[str, Any]]]:
        pending = self._pending(chosen)
        if not pending:
            yield chosen, named
            return
        key, kind = next(iter(pending.items()))
        if isinstance(kind, str):
            yield from self._grid({**chosen, key: kind}, named)
            return
        values = kind.values()
        if values is None:
            raise SweepError(
                f"{key} has no list of values for a grid; write choice(...) or range(...), "
                "or search it: hydra.sweeper.sampler=random hydra.sweeper.n_trials=20"
            )
        for value in values:
            yield from self._grid({**chosen, key: kind.text(value)}, {**named, self.name(key, kind): value})

    def _pending(self, chosen: Mapping[str, str]) -> dict[str, Dimension | str]:
        found: dict[str, Dimension | str] = dict(self.dimensions)
        for branch in self.branches:
            if branch.holds({**self.fixed, **chosen}):
                found |= {**branch.fixed, **branch.dimensions}
        return {key: kind for key, kind in found.items() if key not in chosen}


def read_space(
    params: Mapping[str, Any], when: Mapping[str, Mapping[str, Any]], seeds: Any, line: Sequence[str], parse: Parse
) -> Space:
    """Read the search space from a sweep file and a command line.

    Args:
        params: the file's ``params``: override values by key.
        when: the file's ``when``: ``params`` by condition, ``KEY=VALUE[,VALUE...]``.
        seeds: the file's ``seeds``: a number of seeds, a list of them, or None.
        line: overrides of the command line, which win over the file.
        parse: Hydra's parser of overrides.

    Raises:
        SweepError: a value or a key that cannot be swept.
    """
    own = {override.get_key_element(): override for override in parse(list(line))}
    shared = {key: parse([f"{key}={value}"])[0] for key, value in params.items() if key not in own} | own
    chosen = _seeds(shared.pop(SEED, None), seeds)
    dimensions, fixed = _split(shared)
    if placed := [key for key in PLACES if key in dimensions]:
        raise SweepError(f"{shared[placed[0]].input_line}: the sweep gives each job its own; write one value")
    branches = [_branch(condition, inner, own.keys(), parse) for condition, inner in when.items()]
    return Space(fixed, dimensions, [b for b in branches if b.dimensions or b.fixed], chosen)


def _branch(condition: str, params: Mapping[str, Any], taken: Any, parse: Parse) -> Branch:
    override = parse([condition])[0]
    is_list = override.is_sweep_override()
    options = tuple(override.sweep_string_iterator()) if is_list else (override.get_value_element_as_str(),)
    inner = {key: parse([f"{key}={value}"])[0] for key, value in params.items() if key not in taken}
    return Branch(override.get_key_element(), options, *_split(inner))


def _split(overrides: Mapping[str, Any]) -> tuple[dict[str, Dimension], dict[str, str]]:
    swept = {key: dimension(o) for key, o in overrides.items() if o.is_sweep_override()}
    fixed = {key: _value(o) for key, o in overrides.items() if not o.is_sweep_override()}
    return swept, fixed


def _value(override: Any) -> str:
    return "" if override.is_delete() and override.value() is None else override.get_value_element_as_str()


def _seeds(override: Any, given: Any) -> tuple[int, ...]:
    """Seeds of the command line, else of the file, else seed 1."""
    if override is not None:
        is_list = override.is_sweep_override()
        values = list(override.sweep_string_iterator()) if is_list else [override.get_value_element_as_str()]
    else:
        values = range(1, given + 1) if isinstance(given, int) else ([1] if given is None else given)  # type: ignore[assignment]
    try:
        seeds = tuple(dict.fromkeys(int(value) for value in values))
    except ValueError as error:
        raise SweepError(f"seeds must be whole numbers, got {values}; write seed=1,2,3 or seeds: 3") from error
    if not seeds:
        raise SweepError(f"seeds: {given} gives no seed; write seeds: 3")
    return seeds
