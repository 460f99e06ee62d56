"""Memory of a training above its data, weights, gradients and optimiser; and of a folder of 200,000 images.

A training runs in a process of its own, which reports the largest resident memory that it had. From it are subtracted
the images in memory (bytes of the uint8 tensors), and what the training keeps of each weight: four numbers of one that
is trained (itself, its gradient and two moments), one of an average.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from hydra import compose, initialize_config_module
from PIL import Image

from benchmarks.rows import PEAK, Found, Options, Skipped, alone
from ganvas.config import build
from ganvas.models import Model

GB = 1e9
FOLDER_IMAGES, DIFFERENT = 200_000, 500
MEASURED = (
    PEAK
    + """
import json, sys
from ganvas.cli import main
code = main(["train", *json.loads(sys.argv[1])])
print(json.dumps({"code": code, "bytes": peak()}))
"""
)
COMMON = ["tracking.system_metrics=false", "score.every=null", "paths.output=out"]


def mnist(options: Options) -> Found:
    """Train the default VAE on MNIST, and subtract what must be there."""
    line = ["model=vae", "network=mlp", "data=mnist", "budget.images=20_000", *COMMON]
    needed = 70_000 * 784 + _bytes_of_weights(line)
    return Found([(_peak(line, options) - needed) / GB for _ in range(options.rounds)], "GB")


def folder(options: Options) -> Found:
    """Train a GAN on a folder of 200,000 files of 32x32 pixels: links to 500 different images."""
    with tempfile.TemporaryDirectory() as place:
        _fill(Path(place))
        line = ["model=gan", "network=dcgan", "data=folder", f"data.path={place}", "data.size=32", *COMMON]
        line += ["extractor=none", "budget.images=20_000", "workers=1"]
        return Found([_peak(line, options) / GB], "GB", "all of the process; libraries included")


def _bytes_of_weights(line: list[str]) -> int:
    with initialize_config_module("ganvas.conf", version_base="1.3"):
        model: Model = build(compose("train", line).model)
    return sum(4 * p.numel() * (4 if p.requires_grad else 1) for p in model.parameters())


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
    return float(found["bytes"])


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
