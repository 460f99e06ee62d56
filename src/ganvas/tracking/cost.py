r"""The cost of a run: processor hours, GPU hours and, where codecarbon is installed, energy.

.. math:: \text{cpu\_hours} = (\text{user} + \text{system}) / 3600, \qquad
    \text{gpu\_hours} = \text{wall-clock} \times \text{devices} / 3600

Costs are logged when the run ends, however it ends. A run that goes on adds to the costs in the store. The costs of a
killed process are lost. The energy is codecarbon's estimate for the whole machine, made without network.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from ganvas.tracking.run import Run

CPU: Final = "cost/cpu_hours"
GPU: Final = "cost/gpu_hours"
ENERGY: Final = "cost/energy_kwh"
_HOUR: Final = 3600.0


@contextmanager
def booked(run: Run, gpus: int) -> Iterator[None]:
    """Log what the block costs.

    Args:
        run: receives the costs.
        gpus: number of GPUs that the block uses.
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
    """Processor time of this process and of the children that it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _meter() -> Any:
    """Start an energy meter; None without codecarbon."""
    if importlib.util.find_spec("codecarbon") is None:
        return None
    from codecarbon import OfflineEmissionsTracker

    logging.getLogger("codecarbon").setLevel(logging.CRITICAL)  # it logs before it reads its own log_level
    # The country is for emissions, which are not logged; "offline" stops it from asking the network for its place.
    quiet = {"save_to_file": False, "log_level": "critical", "allow_multiple_runs": True}
    meter = OfflineEmissionsTracker(country_iso_code="USA", **quiet)
    meter.start()
    return meter
