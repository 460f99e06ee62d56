"""Power-function averages beside a training, and snapshots of them; see :mod:`ganvas.models.posthoc`.

The averages take no part in the training: samples and scores use the weights that they use without them. A checkpoint
holds the averages of its time and the list of the snapshots before it.
"""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, final

from pytorch_lightning import Callback, Trainer
from torch import Tensor, nn

from ganvas.models.ema import follow
from ganvas.models.posthoc import decay, exponent
from ganvas.run.callbacks.every import Every
from ganvas.run.callbacks.non_finite import raise_if_not_finite
from ganvas.storage.snapshots import SNAPSHOTS, snapshot_name, write_snapshot
from ganvas.tracking.run import Run

KEY: Final = "posthoc"
"""Entry of a checkpoint: widths, snapshots with their SHA-256, averages, clock."""


@final
class PosthocAverages(Callback):
    """Averages the networks that sample, and writes snapshots of the averages.

    Args:
        run: receives the snapshots.
        widths: relative width of each average.
        every: images between two snapshots.
        folder: folder of the checkpoints.
        earlier: finds a snapshot of the training that is resumed by its name, or returns None.
    """

    def __init__(
        self,
        run: Run,
        widths: Sequence[float],
        every: int,
        folder: Path,
        earlier: Callable[[str], Path | None],
    ) -> None:
        self._run = run
        self._gammas = {float(width): exponent(width) for width in widths}
        self._every, self._folder, self._earlier = Every(every), folder, earlier
        self._averages: dict[float, dict[str, nn.Module]] = {}
        self._snapshots: dict[str, dict[str, Any]] = {}
        self._seen = 0
        self._loaded: dict[str, Any] | None = None

    def on_load_checkpoint(self, trainer: Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Keep the state for the start of the training, when the networks are on their device."""
        self._loaded = checkpoint.get(KEY)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Put the averages and the list of snapshots into the checkpoint."""
        checkpoint[KEY] = {
            "averages": {width: dict(tensors) for width, tensors in self._tensors().items()},
            "snapshots": dict(self._snapshots),
            "clock": self._every.state(),
        }

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Make the averages, with the content of the checkpoint if there is one, and start the clock."""
        parts = {name: pl_module.networks[name] for name in pl_module.averaged}
        self._averages = {
            width: {name: copy.deepcopy(part).requires_grad_(False).eval() for name, part in parts.items()}
            for width in self._gammas
        }
        self._seen = pl_module.images_seen
        state, self._loaded = self._loaded, None
        self._every.start(self._seen, None if state is None else state["clock"])
        if state is not None:
            self._restore(state, trainer.is_global_zero)

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Follow the weights, and write a snapshot when due."""
        seen, images = pl_module.images_seen, pl_module.images_seen - self._seen
        for width, networks in self._averages.items():
            for name, network in networks.items():
                follow(network, pl_module.networks[name], 1.0 - decay(self._gammas[width], images, seen))
        self._seen = seen
        with self._every.turn(seen) as due:
            if due and trainer.is_global_zero:
                raise_if_not_finite(pl_module)
                self._write(seen)

    def _write(self, seen: int) -> None:
        name = snapshot_name(seen)
        digest = write_snapshot(self._folder / name, self._tensors())
        self._snapshots[name] = {"images_seen": seen, "sha256": digest}
        self._run.artifact(self._folder / name, f"checkpoints/{SNAPSHOTS}")

    def _tensors(self) -> dict[float, dict[str, Tensor]]:
        return {
            width: {
                f"{name}.{key}": tensor
                for name, network in networks.items()
                for key, tensor in network.state_dict().items()
            }
            for width, networks in self._averages.items()
        }

    def _restore(self, state: dict[str, Any], brings: bool) -> None:
        for width, networks in self._averages.items():
            for name, network in networks.items():
                kept = state["averages"][width].items()
                prefix = f"{name}."
                network.load_state_dict({key.removeprefix(prefix): t for key, t in kept if key.startswith(prefix)})
        self._snapshots = dict(state["snapshots"])
        for name in self._snapshots if brings else ():
            path = self._folder / name
            if not path.is_file() and (found := self._earlier(name)) is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(found, path)
            if path.is_file():  # the run may be another one than that of the checkpoint
                self._run.artifact(path, f"checkpoints/{SNAPSHOTS}")
