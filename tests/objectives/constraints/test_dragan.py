"""DRAGAN: a linear discriminator in closed form, and the neighbourhood it samples."""

import pytest
import torch

from ganvas.objectives import Dragan


def test_linear_discriminator():
    w = torch.randn(2)
    real = torch.randn(6, 2)
    penalty = Dragan(weight=10.0, target=1.0, noise_scale=0.5, every=1).penalty(lambda x: x @ w, real, real)
    assert penalty.item() == pytest.approx(10 * (w.norm().item() - 1) ** 2, rel=1e-4)


def test_neighbourhood():
    torch.manual_seed(0)
    real, seen = 3 * torch.randn(4000, 2, dtype=torch.float64) + 1, []

    def linear(x):
        seen.append(x.detach())
        return x.sum(1)

    Dragan(weight=1.0, target=1.0, noise_scale=0.5, every=1).penalty(linear, real, torch.full_like(real, torch.nan))
    step = (seen[0] - real) / (0.5 * real.numpy().std())  # numpy's is the authors': all coordinates, over n
    assert 0 <= step.min() and step.max() <= 1
    assert step.mean().item() == pytest.approx(1 / 4, abs=0.01)  # E[alpha] E[u]
    ratio = (step[:, 0] * step[:, 1]).mean().item()
    assert ratio == pytest.approx(
        1 / 3 * 1 / 4, abs=0.005
    )  # E[alpha^2] E[u]^2: one alpha an example, one u a coordinate


@pytest.mark.parametrize("name", ["weight", "target", "noise_scale"])
def test_bad_values_are_refused(name):
    with pytest.raises(ValueError, match=f"^{name}: got 0.0"):
        Dragan(**({"weight": 10.0, "target": 1.0, "noise_scale": 0.5} | {name: 0.0}), every=1)
