"""A pipe among images, arrays or checkpoints is refused by its name and never opened: that would wait for ever."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganvas.storage.special import special

PROGRAM = """
import warnings
from pathlib import Path
import torch
from ganvas.data import ImageFolder, NpzImages
from ganvas.data.source import DataError
from ganvas.data.sources.files import FileExamples
from ganvas.data.sources.decoding import RESIZE, Decoder
from ganvas.scoring.subjects import open_subject
from ganvas.storage.checkpoints import CheckpointError, read

def source(skip_corrupt, memory_limit_gb):
    return ImageFolder("folder", [1, 8, 8], "photos", 8, 1, "stretch", 0.0, 0.0, skip_corrupt, memory_limit_gb)

decoder = Decoder(1, 8, RESIZE["stretch"])
tries = {
    "in memory": lambda: source(False, 1.0).load("train"),
    "on access": lambda: source(False, 0.0).load("train").batch(torch.arange(5)),
    "fingerprint": lambda: source(False, 0.0).load("train").fingerprint(),
    "a folder to score": lambda: open_subject("photos", torch.device("cpu")),
    "a link": lambda: FileExamples(Path("links"), ["link.png"], decoder).batch(torch.arange(1)),
    "an array": lambda: NpzImages("npz", [1, 8, 8], "x.npz", 0, 0),
    "an array to score": lambda: open_subject("x.npz", torch.device("cpu")),
    "a checkpoint": lambda: read(Path("last.ckpt")),
}
for name, go in tries.items():
    try:
        go()
    except (DataError, CheckpointError) as error:
        print(name, "|", error)
with warnings.catch_warnings(record=True) as caught:
    left = source(True, 1.0).load("train")
print("left out", "|", len(left), caught[0].message)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_a_pipe_is_refused_by_name_and_never_opened(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "links").mkdir()
    for i in range(4):
        Image.fromarray(np.full((8, 8), i, np.uint8)).save(tmp_path / "photos" / f"{i}.png")
    for name in ("photos/x.png", "x.npz", "last.ckpt"):
        os.mkfifo(tmp_path / name)
    (tmp_path / "links" / "link.png").symlink_to(tmp_path / "photos" / "x.png")
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    said = dict(line.split(" | ", 1) for line in done.stdout.splitlines())
    named = {"a link": "link.png", "an array": "x.npz", "an array to score": "x.npz", "a checkpoint": "last.ckpt"}
    assert len(said) == 9
    for name, message in said.items():
        assert named.get(name, "x.png") in message, name
        assert name == "left out" or "a pipe, expected a file; it was not opened" in message, name
    assert said["left out"].startswith("4 ")


def test_files_folders_and_what_is_missing_are_not_special(tmp_path):
    (tmp_path / "file").touch()
    assert [special(tmp_path / name) for name in ("file", ".", "missing", "file/below", "nul\0")] == [""] * 5
    assert special(Path(os.devnull)) == "a device"
