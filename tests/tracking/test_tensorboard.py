"""Event files, read back by TensorBoard's own reader: they hold what MLflow holds, also when a training goes on."""

import io
import json
import math
import re
import time
from pathlib import Path

import numpy as np
import pytest
from mlflow.tracking import MlflowClient
from PIL import Image

from ganvas.cli import main
from ganvas.run.callbacks.budget import Budget
from ganvas.tracking.copies import Original
from ganvas.tracking.signals import Terminated
from ganvas.tracking.store import tracking_uri
from ganvas.tracking.tensorboard import FOLDER, TensorBoard

from ..tiny import NARROW, TINY

pytest.importorskip("tensorboard")

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # noqa: E402
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData  # noqa: E402
from tensorboard.summary.writer import event_file_writer  # noqa: E402

pytestmark = pytest.mark.slow  # the package comes with `make test-slow`

FAST = [*TINY, *NARROW, "extractor=none", "score.every=null", "score.select=null", "log.every=64"]


@pytest.fixture(autouse=True)
def in_order(monkeypatch):
    """Files of one second are read in the order of a counter, as text: 10 would come before 9."""
    monkeypatch.setattr(event_file_writer, "_global_uid", event_file_writer.AtomicCounter(0))


def read(output):
    found = EventAccumulator(str(Path(output) / FOLDER), {"scalars": 0, "images": 0, "tensors": 0})
    return found.Reload()


def points(found, key):
    return [(event.step, event.value) for event in found.Scalars(key)]


def write(output, seen, total, first):
    board = TensorBoard(Original("abc", "ganvas", "gan", output, seen))
    board.params({"seed": 0, "optimizer.lr": 0.1, "resume": None, "schedule": [1, 2]})
    board.metrics({"total": total, "gap": math.nan}, first)
    board.image("samples", np.full((2, 4, 3), 7, np.uint8), 192)
    board.metrics({"total": total}, 192)
    return board


def test_a_reader_finds_numbers_pictures_and_parameters(tmp_path, monkeypatch):
    fast = event_file_writer.RecordWriter.write  # by a thread: what it has not written is lost in a kill
    monkeypatch.setattr(event_file_writer.RecordWriter, "write", lambda *given: time.sleep(0.02) or fast(*given))
    board = write(tmp_path, None, 0.1, 64)  # not closed: a process that is killed here leaves all of it
    assert points(read(tmp_path), "total")[-1][0] == 192
    board.image("curve", np.full((2, 4), 1, np.uint8), 192)
    found = read(tmp_path)
    assert points(found, "total") == [(64, np.float32(0.1)), (192, np.float32(0.1))]
    assert found.Scalars("gap")[0].step == 64 and math.isnan(found.Scalars("gap")[0].value)
    for key, value in (("samples", 7), ("curve", 1)):
        (event,) = found.Images(key)
        assert event.step == 192 and (np.asarray(Image.open(io.BytesIO(event.encoded_image_string))) == value).all()
    content = found.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    parameters = HParamsPluginData.FromString(content).session_start_info.hparams
    assert (parameters["seed"].number_value, parameters["optimizer.lr"].number_value) == (0, 0.1)
    assert (parameters["resume"].string_value, parameters["schedule"].string_value) == ("None", "[1, 2]")


def test_a_run_that_goes_on_hides_what_lies_beyond_its_checkpoint(tmp_path):
    write(tmp_path, None, 0.25, 64)
    write(tmp_path, 64, 0.5, 128).close(True)
    found = read(tmp_path)
    assert points(found, "total") == [(64, 0.25), (128, 0.5), (192, 0.5)] and len(found.Images("samples")) == 1


def test_a_training_that_starts_hides_an_earlier_one_of_the_folder(tmp_path):
    write(tmp_path, None, 0.25, 0)
    write(tmp_path, None, 0.5, 128).close(True)
    assert points(read(tmp_path), "total") == [(128, 0.5), (192, 0.5)]


def assert_same_as_mlflow(output):
    run_id = json.loads(Path(output, "result.json").read_text())["run_id"]
    client, found = MlflowClient(tracking_uri()), read(output)
    keys = client.get_run(run_id).data.metrics
    assert set(found.Tags()["scalars"]) == set(keys) and len(keys) > 5
    for key in keys:
        logged = [(metric.step, np.float32(metric.value)) for metric in client.get_metric_history(run_id, key)]
        copied = points(found, key)
        if key == "train/images_per_second":  # of what is trained twice MLflow keeps the first speed
            logged, copied = [step for step, _ in logged], [step for step, _ in copied]
        assert sorted(copied) == sorted(logged), key
    pictures = [re.search(r"samples\+step\+(\d+)", file.path) for file in client.list_artifacts(run_id, "images")]
    shown = {int(picture[1]) for picture in pictures if picture}
    assert [event.step for event in found.Images("samples")] == sorted(shown) and {320, 640} <= shown
    last = np.asarray(Image.open(io.BytesIO(found.Images("samples")[-1].encoded_image_string)))
    assert np.array_equal(last, np.asarray(Image.open(Path(output) / "samples.png")))


def test_a_training_killed_and_resumed_reads_as_its_run_in_mlflow(store, monkeypatch):
    line = ["train", *FAST, "paths.output=out", "resume=auto"]
    with monkeypatch.context() as patch:

        def stop(self, trainer, model, *_):
            if model.images_seen >= 500:
                raise Terminated(15)

        patch.setattr(Budget, "on_train_batch_end", stop)
        assert main([*line, "tracking.also=[tensorboard]"]) == 143
    assert max(event.step for event in read("out").Scalars("train/critic/total")) > 320
    assert main(line) == 0  # the checkpoint has the key
    assert_same_as_mlflow("out")
    files = len(list(Path("out", FOLDER).iterdir()))
    assert main(["train", "resume=out", "paths.output=out", "budget.images=704", "tracking.also=[]"]) == 0
    assert files == len(list(Path("out", FOLDER).iterdir())) == 2


def test_a_training_goes_on_without_a_copy_that_cannot_be_written(store, capsys):
    Path("out").mkdir()
    Path("out", FOLDER).write_text("in the way")
    assert main(["train", *FAST, "paths.output=out", "tracking.also=[tensorboard]"]) == 0
    assert "ganvas: no more copies to tensorboard (" in capsys.readouterr().err
    run_id = json.loads(Path("out", "result.json").read_text())["run_id"]
    assert MlflowClient(tracking_uri()).get_run(run_id).info.status == "FINISHED"
