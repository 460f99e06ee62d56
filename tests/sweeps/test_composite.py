"""What the seeds of a configuration found, and the picture of all configurations."""

import numpy as np
import pytest
import torch
from PIL import Image

from ganvas.sweeps.composite import composites
from ganvas.sweeps.finished import Finished


def test_each_step_has_a_row_for_each_configuration_that_has_samples(tmp_path):
    def made(name, shade, steps):
        folder = tmp_path / name / "grids"
        folder.mkdir(parents=True)
        for step in steps:
            Image.new("RGB", (30, 10), (shade,) * 3).save(folder / f"row-{step:012d}.webp", lossless=True)
        return Finished(name, [], 0, tmp_path / name)

    found = dict(composites([made("a", 50, [0, 100]), made("b", 150, [0]), Finished("c", [], 1, None)]))
    assert found.keys() == {0, 100}
    assert found[0][:, 5, -1].tolist() == [50] * 3 and found[0][:, 21, -1].tolist() == [150] * 3
    assert found[0].shape[1] == 2 * 16 and found[100].shape[1] == 16 and found[0].dtype == torch.uint8


def test_means_deviations_and_counts():
    one = Finished("lr=1e-3", [{"fd": 1.0}, {"fd": 3.0, "is": 2.0}], 1, None)
    values = one.metrics()
    assert values["n/fd"] == 2 and values["mean/fd"] == 2 and values["sd/fd"] == pytest.approx(np.sqrt(2))
    assert values["n/is"] == 1 and "sd/is" not in values and (values["seeds"], values["failures"]) == (2, 1)
    assert one.metrics([]) == {"seeds": 2, "failures": 1}
    said = "mean 2 ± 1.4 (standard deviation over 2 seeds). 1 seeds failed."
    assert one.note(["score/fd"]).startswith("fd: no seed") and one.note(["fd"]).endswith(said)
