"""What depends on the reference alone and is kept besides its features: neighbours' radii and the calibration rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict

from ganvas.extractors.features import Features
from ganvas.metrics.neighbours import Radii
from ganvas.scoring.cache import metric_code_version
from ganvas.scoring.calibration import Row
from ganvas.scoring.scores import Score, expand
from ganvas.scoring.task import Part, Task
from ganvas.storage.digest import digest
from ganvas.storage.store import Kept


def know_radii(task: Task, real: Features) -> None:
    """Give the reference its radii, from the cache where it has them; too few images are left to the metrics.

    Args:
        task: what is scored, against what.
        real: features of ``task.real_part``.
    """
    s = task.settings
    ks = {"prc_neighbours": s.prc_neighbours, "dc_neighbours": s.dc_neighbours}
    if real.n <= max(ks.values()) or not real.values.isfinite().all():
        return
    of = {"what": "radii", "real": task.key(task.real_part).digest(), "code": metric_code_version(), **ks}
    kept = task.store.get(digest(of), lambda: Kept(dict(vars(real.radii(**ks))), {}))
    real.remember(**ks, known=Radii(**kept.tensors))


def kept_row(task: Task, stand_in: Part, names: Sequence[str], compute: Callable[[], Row]) -> Row:
    """A calibration row, from the cache where it has it: neither images nor features are touched then.

    Args:
        task: what is scored, against what.
        stand_in: images in the place of generated ones.
        names: of metrics.
        compute: called where the cache has none.
    """
    of = {
        "what": "calibration row",
        "real": task.key(task.real_part).digest(),
        "stand_in": task.key(stand_in).digest(),
        "n": task.n,
        "metrics": expand(names),
        "settings": asdict(task.settings),
        "code": metric_code_version(),
    }
    facts = task.store.get(digest(of), lambda: Kept({}, asdict(compute()))).facts
    return Row(facts["n"], {key: Score(**score) for key, score in facts["scores"].items()})
