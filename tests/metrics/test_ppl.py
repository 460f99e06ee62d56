"""Perceptual path length against torch-fidelity's own steps, and maps whose speed is known."""

import numpy as np
import pytest
import torch
from torch_fidelity.utils import batch_interp, sample_random

from ganvas.extractors.perceptual import Perceptual
from ganvas.metrics.ppl import METRIC, _decoder, resized, step_lengths, trimmed
from ganvas.metrics.registry import settings_of
from ganvas.scoring.asked import Asked
from ganvas.scoring.material import Gathered
from ganvas.scoring.references import Reference
from ganvas.scoring.subjects import ImagesSubject
from ganvas.testing import model_metrics


def squared(made, true):
    """A distance whose size is known: the sum of squared differences."""
    return (made.double() - true.double()).square().sum((1, 2, 3))


class Linear:
    """A generator whose image is linear in the latent."""

    def __init__(self, d=6, side=12):
        self.map = torch.randn(d, side * side, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 0.01
        self.side = side

    def __call__(self, z):
        return (z.double() @ self.map).view(-1, 1, self.side, self.side)


def test_the_speed_of_a_linear_map_is_known():
    decode, z, end = Linear(), torch.randn(9, 6).double(), torch.randn(9, 6).double()
    found = step_lengths(decode, squared, (z, end), epsilon=1e-4, size=12)
    expected = ((end - z) @ decode.map / 2).square().sum(1)  # images in [0, 1] are half as far apart
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_it_takes_the_steps_of_torch_fidelity():
    """Latents and interpolation by its functions, its resizing rule and its percentiles in numpy."""
    random, decode = np.random.RandomState(3), Linear(side=20)
    start, end = (sample_random(random, (200, 6), "normal").double() for _ in range(2))
    moved = batch_interp(start, end, 1e-3, "lerp")
    images = [torch.nn.functional.interpolate((decode(z) + 1) / 2, (8, 8), mode="area") for z in (start, moved)]
    distances = squared(*images).numpy() / 1e-3**2
    low, high = np.percentile(distances, 1, method="lower"), np.percentile(distances, 99, method="higher")
    kept = distances[(low <= distances) & (distances <= high)]
    lengths = step_lengths(decode, squared, (start, end), epsilon=1e-3, size=8)
    found = trimmed(lengths, 0.01)
    assert found.mean == pytest.approx(kept.mean(), rel=1e-5) and found.n == len(kept) == 198
    assert found.standard_error == pytest.approx(kept.std(ddof=1) / len(kept) ** 0.5, rel=1e-5)


def test_small_images_are_enlarged_bilinearly():
    x = torch.rand(1, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    assert resized(x, 8).shape == (1, 1, 8, 8) and resized(x, 4).equal(x)
    assert resized(x, 2)[0, 0, 0, 0] == pytest.approx(float(x[0, 0, :2, :2].mean()))


@pytest.fixture(scope="module")
def settings(squeeze):
    given = {"samples": 12, "size": 32, "epsilon": 1e-2, "net": "squeeze", "weights": squeeze}
    return settings_of({f"ppl.{name}": value for name, value in given.items()})


def test_of_a_model_it_follows_the_seed_and_the_scale_of_the_latents(settings):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again, slow = (
        model_metrics.measured(METRIC, settings, model_metrics.vae(brightness), model_metrics.Bands())
        for brightness in (8.0, 8.0, 16.0)
    )
    score = first.scores["ppl"]
    assert score.value > 0 and score.sd > 0 and score.sd_over == "12 steps" and first.scores == again.scores
    assert slow.scores["ppl"].value < score.value  # its decoder divides latents by sixteen instead of eight
    assert torch.equal(before, torch.get_rng_state())
    weights = Perceptual("squeeze", settings["ppl.weights"], "ppl").weights_hash
    assert first.conditions == {"weights_hash": weights}


def test_images_and_points_are_refused(settings):
    source = model_metrics.Bands()
    subject = ImagesSubject("images", source.load("test"))
    with pytest.raises(ValueError, match="ppl needs a model that decodes latents"):
        METRIC.compute(
            Gathered(subject, Reference("bands", "test", source=source), None, Asked(settings, 9, seed=0), None)
        )
    with pytest.raises(ValueError, match="ppl compares images"):
        model_metrics.measured(METRIC, settings, model_metrics.vae_of_points(), model_metrics.Points("points", (2,)))


class Conditional:
    """Its image is the class; it draws latents of zeros."""

    classes = 3

    def __init__(self):
        self.shown = []

    @property
    def prior(self):
        return self

    def sample(self, n, *, device="cpu", generator=None):
        return torch.zeros(n, 2)

    def decoded(self, z, y=None):
        self.shown.append(y)
        return (y.float() / 3)[:, None, None, None].expand(-1, 1, 32, 32)


def test_both_ends_of_a_step_are_of_one_class():
    model = Conditional()
    labels = torch.tensor([0, 2, 1])
    lengths = step_lengths(_decoder(model, labels), squared, (torch.zeros(3, 2),) * 2, epsilon=1e-2, size=8)
    assert not lengths.any() and model.shown[0].tolist() == [0, 2, 1, 0, 2, 1]
