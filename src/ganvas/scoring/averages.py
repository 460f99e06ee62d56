"""The post-hoc average of a model's weights, combined from the snapshots of its training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, final

import torch
from torch import Tensor, nn

from ganvas.config import ConfigError
from ganvas.models.posthoc import Profile, combination, exponent
from ganvas.storage.checkpoints import CheckpointError
from ganvas.storage.snapshots import Averages, read_snapshot
from ganvas.tracking.artifacts import beside

MOST: Final = 0.1
"""Largest error of the profile, as a share of its norm, by which an average is still that of its name."""


def load_average(networks: Mapping[str, nn.Module], checkpoint: Mapping[str, Any], source: str, width: float) -> None:
    """Give networks the average of another width in place of their weights.

    Args:
        networks: the networks that evaluation uses, by name, on the CPU; changed in place.
        checkpoint: content of the checkpoint.
        source: the checkpoint as it was given, for its snapshots and for messages.
        width: relative width of the average.

    Raises:
        CheckpointError: a snapshot is missing or damaged.
        ConfigError: the training kept no averages, or none that this width can be combined from.
    """
    kept = checkpoint.get("posthoc")
    if kept is None:
        raise ConfigError(
            f"ema={width}: {source} has no averages to combine, expected those of a run with ema.sigmas; leave ema "
            "out, or train with ema.sigmas=[0.05,0.1]"
        )
    seen, widths = checkpoint["images_seen"], list(kept["averages"])
    earlier = {name: facts for name, facts in kept["snapshots"].items() if facts["images_seen"] < seen}
    times = [*(facts["images_seen"] for facts in earlier.values()), seen]
    factors = iter(_factors([(one, time) for time in times for one in widths], (width, seen), source))
    total = _Sum(networks)
    for averages in _all(earlier, source, kept["averages"]):
        for one in widths:
            total.add(averages[one], next(factors))
    total.load(networks)


def _factors(kept: Sequence[tuple[float, int]], wanted: tuple[float, int], source: str) -> list[float]:
    """Compute the factor of each kept average, given by its width and its time."""
    try:
        profiles = [Profile(exponent(width), seen) for width, seen in (*kept, wanted)]
    except ValueError as error:
        raise ConfigError(f"ema={wanted[0]}: {error}") from error
    factors, off = combination(profiles[:-1], profiles[-1])
    if off > MOST:
        widths, times = (len(set(kind)) for kind in zip(*kept, strict=True))
        raise ConfigError(
            f"ema={wanted[0]}: the averages of {source}, of {widths} widths at {times} times, combine to its profile "
            f"with an error of {off:.0%}, expected at most {MOST:.0%}; choose a number closer to ema.sigmas of the "
            "run, or train with a smaller ema.every"
        )
    return factors


def _all(earlier: Mapping[str, Mapping[str, Any]], source: str, last: Averages) -> Iterator[Averages]:
    """Yield the averages of each snapshot, and those of the checkpoint itself."""
    found = dict(_found(source, earlier))
    if missing := [name for name, path in found.items() if path is None]:
        raise CheckpointError(
            f"{source}: {len(missing)} of {len(found)} snapshots are not beside its checkpoint: "
            f"{', '.join(missing[:3])}{', ...' if len(missing) > 3 else ''}; put them there, or leave ema out"
        )
    for name, path in found.items():
        assert path is not None
        yield read_snapshot(path, earlier[name]["sha256"])
    yield last


def _found(source: str, names: Iterable[str]) -> Iterator[tuple[str, Path | None]]:
    """Yield the path of each snapshot; they lie in one folder, so that only the first one is searched for."""
    folder: Path | None = None
    for name in names:
        path = beside(source, name) if folder is None or not (folder / name).is_file() else folder / name
        folder = folder if path is None else path.parents[1]
        yield name, path


@final
class _Sum:
    """The sum of averages with factors, in double precision.

    Some factors are negative, so that a variance of a batch normalisation could become negative: a buffer that no
    average has below 0 stays at 0 or above. Counters are those of the last average.
    """

    def __init__(self, networks: Mapping[str, nn.Module]) -> None:
        self._buffers = {f"{name}.{key}" for name, network in networks.items() for key, _ in network.named_buffers()}
        self._sums: dict[str, Tensor] = {}
        self._least: dict[str, Tensor] = {}

    def add(self, average: Mapping[str, Tensor], factor: float) -> None:
        for key, value in average.items():
            if not value.is_floating_point():
                self._sums[key] = value
                continue
            self._sums[key] = self._sums.get(key, torch.zeros(())) + factor * value.double()
            if key in self._buffers:
                self._least[key] = value.minimum(self._least.get(key, value))

    def load(self, networks: Mapping[str, nn.Module]) -> None:
        for key, least in self._least.items():
            self._sums[key] = torch.where(least < 0, self._sums[key], self._sums[key].clamp(min=0))
        for name, network in networks.items():
            prefix = f"{name}."
            state = {key.removeprefix(prefix): t for key, t in self._sums.items() if key.startswith(prefix)}
            network.load_state_dict(state)
