"""The Vendi Score against the authors' formula, known numbers of different samples, and redrawn images."""

import numpy as np
import pytest
import torch

from ganvas.metrics.vendi import vendi


def draw(n, d, seed):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)) + 0.3


def published(x):
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    values = np.linalg.eigvalsh(x @ x.T / len(x))
    values = values[values > 0]
    return np.exp(-np.sum(values * np.log(values)))


@pytest.mark.parametrize("shape", [(30, 4), (4, 30), (12, 12)])
def test_it_is_the_published_formula_by_either_matrix(shape):
    x = draw(*shape, seed=0)
    assert vendi(x)[0] == pytest.approx(published(x.double().numpy()), rel=1e-6)


def test_it_counts_orthogonal_samples_and_does_not_count_copies():
    assert vendi(torch.eye(7))[0] == pytest.approx(7)
    copies = torch.eye(9)[:3].repeat(4, 1)
    value, error = vendi(copies)
    assert value == pytest.approx(3) and error == pytest.approx(0, abs=1e-9)
    assert vendi(5.0 * torch.ones(6, 3))[0] == pytest.approx(1)


@pytest.mark.parametrize("d", [4, 40])
def test_the_error_is_what_the_score_moves_by_when_images_are_drawn_again(d):
    scales = torch.logspace(0, -1.5, d)
    found = [vendi(draw(150, d, seed) * scales) for seed in range(120)]
    values, errors = zip(*found, strict=True)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.2)


def test_both_matrices_give_the_same_error():
    x = draw(12, 12, 0)
    wide = torch.cat([x, torch.zeros(12, 1)], dim=1)  # 13 features: the other matrix is smaller
    assert vendi(x) == pytest.approx(vendi(wide), rel=1e-9)


def test_one_image_is_refused():
    with pytest.raises(ValueError, match="fake: the Vendi Score expects at least 2 images, got 1"):
        vendi(draw(1, 3, 0))
