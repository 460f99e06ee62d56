r"""What a run costs: processor hours, GPU hours and, where codecarbon is installed, energy.

.. math:: \text{cpu\_hours} = (\text{user} + \text{system}) / 3600, \\qquad
    \text{gpu\_hours} = \text{wall-clock} \times \text{devices} / 3600

They are logged when the run ends, however it ends; a run that goes on adds to what stands there. What a killed process
had spent since its run began is lost. Energy is codecarbon's estimate of the whole machine, without network.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Protocol, runtime_checkable

CPU: Final = "cost/cpu_hours"
GPU: Final = "cost/gpu_hours"
ENERGY: Final = "cost/energy_kwh"
_HOUR: Final = 3600.0


@runtime_checkable
class Account(Protocol):
    """Where costs are booked: :class:`~ganvas.tracking.run.TrackedRun` is one."""

    def metrics(self, values: Mapping[str, int | float], step: int) -> None:
        """Take numbers by key."""
        ...

    def latest(self, prefix: str) -> dict[str, float]:
        """What stands there already, by key."""
        ...


@contextmanager
def booked(run: Account, gpus: int) -> Iterator[None]:
    """Book what the block costs.

    Args:
        run: on which.
        gpus: that the block uses.
    """
    before, cpu, wall, meter = run.latest("cost/"), _cpu_seconds(), time.monotonic(), _meter()
    try:
        yield
    finally:
        hours = {CPU: (_cpu_seconds() - cpu) / _HOUR}
        if gpus:
            hours[GPU] = (time.monotonic() - wall) * gpus / _HOUR
        if meter is not None:
            meter.stop()
            hours[ENERGY] = float(meter.final_emissions_data.energy_consumed)
        run.metrics({key: value + before.get(key, 0.0) for key, value in hours.items()}, step=0)


def _cpu_seconds() -> float:
    """Of this process and of the children that it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _meter() -> Any:
    """A meter that runs, or None."""
    if importlib.util.find_spec("codecarbon") is None:
        return None
    from codecarbon import OfflineEmissionsTracker

    logging.getLogger("codecarbon").setLevel(logging.CRITICAL)  # it speaks before it reads its own log_level
    # The country is for emissions, which are not logged; "offline" keeps it from asking the network where it is.
    quiet = {"save_to_file": False, "log_level": "critical", "allow_multiple_runs": True}
    meter = OfflineEmissionsTracker(country_iso_code="USA", **quiet)
    meter.start()
    return meter
