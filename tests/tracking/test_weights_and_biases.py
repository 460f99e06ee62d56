"""W&B's offline mode writes the file that ``wandb sync`` uploads; it is read back here, record by record."""

import json
import math
import struct
import time

import numpy as np
import pytest
import torch
from PIL import Image

from ganvas.tracking.also import copied
from ganvas.tracking.copies import Original
from ganvas.tracking.run import SilentRun

wandb = pytest.importorskip("wandb")

from wandb.proto.wandb_internal_pb2 import Record  # noqa: E402

_MAGIC, _BLOCK, _HEAD = 7, 32768, 7


pytestmark = pytest.mark.slow  # the package comes with `make test-slow`


@pytest.fixture(autouse=True, scope="module")
def offline(tmp_path_factory):
    """W&B reads its environment once in a process."""
    home = str(tmp_path_factory.mktemp("wandb"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "offline")
        patch.setenv("WANDB_ERROR_REPORTING", "false")
        for name in ("CACHE", "CONFIG", "DATA"):
            patch.setenv(f"WANDB_{name}_DIR", home)
        yield
        wandb.teardown()


def records(path):
    """Yield the records of a file in LevelDB's log format: blocks of parts, each with checksum, length and kind."""
    content, at, part = path.read_bytes(), _MAGIC, b""
    while at + _HEAD <= len(content):
        if _BLOCK - at % _BLOCK < _HEAD:
            at += _BLOCK - at % _BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", content[at : at + _HEAD])
        if at + _HEAD + length > len(content):  # is just being written
            return
        part += content[at + _HEAD : at + _HEAD + length]
        at += _HEAD + length
        if kind in (1, 4):  # whole, or the last part
            yield Record.FromString(part)
            part = b""


def whole(path):
    """All records of a run that has ended: W&B's service may write the last ones a moment later."""
    patience = time.monotonic() + 30
    found = list(records(path))
    while not any(record.HasField("exit") for record in found):
        assert time.monotonic() < patience, found
        time.sleep(0.1)
        found = list(records(path))
    return found


def values(items):
    """Read the values of a record by key; those of a dictionary by dotted key."""
    return {".".join(item.nested_key) or item.key: json.loads(item.value_json) for item in items}


def test_a_run_stands_in_the_file_with_its_axis(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    original = Original("5ca55f92279c4e52", "my experiment", "gan mnist5k mlp", tmp_path / "out", None)
    picture = torch.ones(3, 2, 4, dtype=torch.uint8)  # an array of such values counts as one in [0, 1] to W&B
    with copied(SilentRun(), original, ["wandb"]) as run:
        run.params({"seed": 1, "resume": None, "schedule": torch.Size([1, 2])})
        run.params({"seed": 2})
        run.metrics({"train/total": 0.5, "gap": math.nan}, 128)
        run.metrics({"cost/cpu_hours": 0.25}, 0)  # W&B's own step would refuse to go back
        run.image("samples", picture, 128)
    (folder,) = (tmp_path / "out" / "wandb").glob("offline-run-*")
    found = whole(folder / "run-5ca55f92279c4e52.wandb")
    begun = next(record.run for record in found if record.HasField("run"))
    assert (begun.run_id, begun.project, begun.display_name) == (original.id, "my experiment", "gan mnist5k mlp")
    given = {}
    for record in found:
        given |= values(record.config.update)
    assert given == {"seed": 2, "resume": None, "schedule": "torch.Size([1, 2])"}
    axes = {record.metric.glob_name: record.metric.step_metric for record in found if record.HasField("metric")}
    assert axes["*"] == "images_seen"
    first, cost, image = (values(record.history.item) for record in found if record.HasField("history"))
    assert (first["train/total"], first["images_seen"]) == (0.5, 128) and math.isnan(first["gap"])
    assert (cost["cost/cpu_hours"], cost["images_seen"]) == (0.25, 0)
    assert image["images_seen"] == 128
    assert (np.asarray(Image.open(folder / "files" / image["samples.path"])) == 1).all()
    assert [record.exit.exit_code for record in found if record.HasField("exit")] == [0]
    assert not (tmp_path / "wandb").exists()


def test_a_run_that_failed_is_marked_as_failed(tmp_path, capsys):
    original = Original("5ca55f92279c4e53", "ganvas", "gan", tmp_path / "out", None)
    with pytest.raises(RuntimeError), copied(SilentRun(), original, ["wandb"]):
        raise RuntimeError
    (file,) = (tmp_path / "out" / "wandb").glob("offline-run-*/*.wandb")
    assert [record.exit.exit_code for record in whole(file) if record.HasField("exit")] == [1]
    assert "no more" not in capsys.readouterr().err
