"""The Fréchet distance of reconstructions against its formula, and its error against redrawn pairs."""

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from ganvas.metrics.registry import metrics, settings_of
from ganvas.metrics.rfd import paired_distance
from ganvas.testing import model_metrics
from ganvas.testing.class_metrics import BrightestQuarter
from ganvas.types import to_uint8


def pairs(n, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 5, generator=generator) * torch.linspace(0.5, 1.5, 5)
    return x, 0.8 * x + 0.2 * torch.randn(n, 5, generator=generator) + 0.3


def test_it_is_the_published_formula():
    x, y = (side.double().numpy() for side in pairs(40, 0))
    s, t = np.cov(x.T), np.cov(y.T)
    expected = np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(s + t - 2 * sqrtm(s @ t).real)
    assert paired_distance(*pairs(40, 0))[0] == pytest.approx(expected, rel=1e-6)


def test_the_error_is_what_the_distance_moves_by_when_pairs_are_drawn_again():
    values, errors = zip(*(paired_distance(*pairs(200, seed)) for seed in range(120)), strict=True)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.2)


def test_of_a_model_it_is_the_distance_of_its_reconstructions_with_floor_and_ceiling():
    metric, source, model = metrics()["rfd"], model_metrics.Bands(), model_metrics.vae(1.0, fault=0.16)
    settings = settings_of({"reconstruction.n": None})
    found = model_metrics.measured(metric, settings, model, source, calibration=True)
    images = source.load("test").batch(torch.arange(model_metrics.N))
    bright = images.float() / 127.5 - 1
    made = bright - 0.16 * (torch.arange(images.shape[3]) % 2)  # what the model's decoder makes of them
    quarters = BrightestQuarter()
    expected = paired_distance(quarters(images)[0], quarters(to_uint8(made))[0])
    assert found.scores["rfd"].value == pytest.approx(expected[0], rel=0.01)
    assert found.floor == {"rfd": 0.0} and found.ceiling["rfd"] > found.scores["rfd"].value
    assert found.conditions["n"] == model_metrics.N and found.conditions["extractor"] == "quarters"
