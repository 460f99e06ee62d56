"""Memory of a training above its data, weights, gradients and optimiser; and of a folder of 200,000 images.

A training runs in a process of its own, which reports the largest resident memory that it had (``ru_maxrss``). From it
are subtracted the images in memory (bytes of the uint8 tensors), and four numbers for each weight, or three more where
averaged weights are kept.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.rows import Found, Options, Skipped, alone

GB = 1e9
FOLDER_IMAGES, DIFFERENT = 200_000, 500
MEASURED = """
import json, resource, sys
from ganvas.cli import main
code = main(["train", *json.loads(sys.argv[1])])
print(json.dumps({"code": code, "kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))
"""
COMMON = ["tracking.system_metrics=false", "score.every=null", "paths.output=out"]


def mnist(options: Options) -> Found:
    """Train the default VAE on MNIST, and subtract what must be there."""
    needed = 70_000 * 784 + 4 * 4 * 1_700_000
    line = ["model=vae", "network=mlp", "data=mnist", "budget.images=20_000", *COMMON]
    return Found([(_peak(line, options) - needed) / GB for _ in range(options.rounds)], "GB")


def folder(options: Options) -> Found:
    """Train a GAN on a folder of 200,000 files of 32x32 pixels: links to 500 different images."""
    with tempfile.TemporaryDirectory() as place:
        _fill(Path(place))
        line = ["model=gan", "network=dcgan", "data=folder", f"data.path={place}", "data.size=32", *COMMON]
        line += ["extractor=none", "budget.images=20_000", "workers=1"]
        return Found([_peak(line, options) / GB], "GB", "all of the process; libraries included")


def _peak(line: list[str], options: Options) -> float:
    """Return the largest resident memory of a training, in bytes."""
    with tempfile.TemporaryDirectory() as place:
        environment = os.environ | {"OMP_NUM_THREADS": str(options.threads)}
        environment.pop("MLFLOW_TRACKING_URI", None)
        command = [sys.executable, "-c", MEASURED, json.dumps(line)]
        done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    if found["code"]:
        raise Skipped(f"the training ended with {found['code']}: {done.stderr[-300:]}")
    return 1024.0 * found["kb"]


def _fill(place: Path) -> None:
    draw = np.random.default_rng(0)
    for i in range(DIFFERENT):
        Image.fromarray(draw.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(place / f"{i:06d}.png")
    for i in range(DIFFERENT, FOLDER_IMAGES):
        os.link(place / f"{i % DIFFERENT:06d}.png", place / f"{i:06d}.png")


PARTS = (
    alone("memory_mnist", "", 1.0, mnist),
    alone("memory_folder_200000", "", None, folder),
)
