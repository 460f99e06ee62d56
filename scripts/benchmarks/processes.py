"""Speed of a training in two processes: the share of twice the speed of one process that they reach.

Each side is ``ganvas train`` on noise of the size of MNIST, with one thread for each process and 64 images for each
process and update. Speed is images by time, from the run's own journal, without its first quarter. Beside it stands one
process with as many threads and the same whole batch, which needs no exchange of gradients.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.rows import Found, Options, Skipped, alone

PROCESSES: Final = 2
BATCH: Final = 64
"""Images of one process in one update."""
WARM: Final = 0.25
"""Share of a training that is not measured."""
LINE = ["data=npz", "data.val=0", "data.test=100", "extractor=none", "score.every=null"]
LINE += ["tracking.offline=true", "tracking.system_metrics=false", "trainer.accelerator=cpu", "paths.output=out"]


def measure(model: list[str], images: int, options: Options) -> Found:
    """Measure the speeds of the three sides in alternation; the ratio is that of two processes to twice that of one."""
    sides = {"one": (1, 1), "processes": (PROCESSES, 1), "threads": (1, PROCESSES)}
    speeds: dict[str, list[float]] = {side: [] for side in sides}
    with tempfile.TemporaryDirectory() as folder:
        noise = np.random.default_rng(0).integers(0, 256, (20_100, 28, 28), dtype=np.uint8)
        np.savez(Path(folder) / "noise.npz", images=noise)
        for _ in range(options.rounds):
            for side, (processes, threads) in sides.items():
                line = [*LINE, *model, f"data.path={folder}/noise.npz", f"budget.images={images * processes * threads}"]
                line += [f"trainer.devices={processes}", f"batch_size={BATCH * processes * threads}"]
                speeds[side].append(_speed(line, threads))
    median = {side: statistics.median(found) for side, found in speeds.items()}
    pairs = zip(speeds["processes"], speeds["one"], strict=True)
    note = "{processes:,.0f} images/s against {one:,.0f}; one process with two threads {threads:,.0f}"
    return Found([both / (PROCESSES * one) for both, one in pairs], "x", note.format(**median))


def _speed(line: list[str], threads: int) -> float:
    """Train, and return images by second."""
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, "-m", "ganvas", "train", *line]
        environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
        done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise Skipped(f"the training ended with {done.returncode}: {done.stderr[-300:]}")
        (journal,) = Path(place).glob("out/journal/*/entries.jsonl")
        entries = [json.loads(text) for text in journal.read_text(encoding="utf-8").splitlines()]
    terms = [e for e in entries if e["kind"] == "metrics" and "train/images_per_second" in e["values"]]
    points = [(entry["step"], entry["time"]) for entry in terms]
    (step, time), (last, end) = points[int(WARM * len(points))], points[-1]
    return 1000 * (last - step) / (end - time)


AGAINST: Final = "twice one process"
PARTS = (
    alone("processes_vae_mlp", AGAINST, None, partial(measure, ["model=vae", "network=mlp"], 20_000)),
    alone("processes_gan_dcgan", AGAINST, None, partial(measure, ["model=gan", "network=dcgan"], 8_000)),
    alone("processes_wgan_gp_dcgan", AGAINST, None, partial(measure, ["model=wgan_gp", "network=dcgan"], 8_000)),
)
