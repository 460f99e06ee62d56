"""Time and memory of ``ganvas score`` against the number of images, 1,000 to 1,000,000 digits, from an array file.

The images are the training digits of ``mnist5k`` again and again, each time with other Gaussian pixel noise. A score
runs in a process of its own, which reports its seconds after the imports, and the largest resident memory above that of
the imports (pages of mapped files that are in memory count). Above 100,000 images features are in files.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from benchmarks.rows import PEAK, Found, Options, Part, Row, Skipped
from ganvas.data.sources.mnist5k import Mnist5k

COUNTS = (1_000, 10_000, 50_000, 200_000, 1_000_000)
ONCE = 200_000
NOISE = 40.0
CHUNK = 5_000
MEASURED = (
    PEAK
    + """
import json, sys, time
from ganvas.cli import main
import ganvas.commands.score, ganvas.extractors.mnist, torch_fidelity
start, begun, used = peak(), time.perf_counter(), time.process_time()
code = main(["score", *json.loads(sys.argv[1])])
print(json.dumps({
    "code": code, "seconds": time.perf_counter() - begun, "cpu": time.process_time() - used, "bytes": peak() - start
}))
"""
)


def measure(options: Options) -> dict[str, Found]:
    """Score each number of images once in each round, and very many once."""
    rounds = {n: options.rounds if n < ONCE else 1 for n in COUNTS}
    found = {n: [score(n, options.threads) for _ in range(rounds[n])] for n in COUNTS}
    return {
        f"scale_{n}": Found(
            [each["seconds"] for each in rounds],
            "s",
            f"{max(each['bytes'] for each in rounds) / 1e6:.0f} MB above the start, {rounds[0]['cpu']:.1f} s of the "
            "processor",
        )
        for n, rounds in found.items()
    }


def score(n: int, threads: int, *overrides: str) -> dict[str, float]:
    """Make ``n`` images, score them in a process of their own, and return seconds and memory."""
    with tempfile.TemporaryDirectory() as place:
        write(Path(place) / "fakes.npy", n)
        line = [f"{place}/fakes.npy", "reference=mnist5k", "metrics=[fd,is,kid]", "calibration=false"]
        line += [f"paths.cache={place}/cache", f"paths.output={place}/out", *overrides]
        environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
        command = [sys.executable, "-c", MEASURED, json.dumps(line)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        scores = Path(place) / "out" / "result.json"
        if not scores.exists():
            raise Skipped(f"the score of {n} images failed: {done.stderr[-300:]}")
        found = json.loads(done.stdout.splitlines()[-1])
        return found | {key: s["value"] for key, s in json.loads(scores.read_text())["scores"].items()}


def write(path: Path, n: int) -> None:
    """Write ``n`` noisy digits to an array file, a part at a time."""
    digits = Mnist5k("mnist5k", [1, 28, 28], 500, 1000).load("train")
    draw = np.random.default_rng(0)
    array = np.lib.format.open_memmap(path, "w+", np.uint8, (n, 28, 28))
    for start in range(0, n, CHUNK):
        index = np.arange(start, min(start + CHUNK, n))
        images = digits.batch(torch.from_numpy(index % len(digits)))[:, 0].numpy()
        noise = NOISE * draw.standard_normal(images.shape, dtype=np.float32)
        array[index] = (images + noise).clip(0, 255).astype(np.uint8)
    array.flush()


PARTS = (Part("scale", tuple(Row(f"scale_{n}", "", None) for n in COUNTS), measure),)
"""Parts of ``scripts/benchmark.py``."""
