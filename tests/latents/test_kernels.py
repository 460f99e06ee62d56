"""The maximum mean discrepancy against loops, and of Gaussians against its closed form."""

import pytest
import torch

from ganvas.latents import GaussianKernel, InverseMultiquadratic
from ganvas.latents.kernels import mmd

KERNELS = {
    "imq": (InverseMultiquadratic([0.5, 2.0]), lambda s, d: d / (d + s) + 4 * d / (4 * d + s)),
    "gaussian": (GaussianKernel(2.0), lambda s, d: torch.exp(-s / (4 * d))),
}


@pytest.mark.parametrize("name", KERNELS)
def test_it_is_the_unbiased_estimate_by_loops(name):
    kernel, by_hand = KERNELS[name]
    torch.manual_seed(0)
    a, b = torch.randn(5, 3).double(), torch.randn(4, 3).double() + 1
    between = [by_hand((x - y).square().sum(), 3) for x in a for y in b]
    within = [
        [by_hand((x - y).square().sum(), 3) for i, x in enumerate(s) for j, y in enumerate(s) if i != j] for s in (a, b)
    ]
    mean = lambda values: torch.stack(values).mean()  # noqa: E731
    torch.testing.assert_close(mmd(a, b, kernel), mean(within[0]) + mean(within[1]) - 2 * mean(between))


def test_of_two_normals_it_is_the_closed_form():
    """E k of N(m, s^2 I) and N(m', s'^2 I) is a normal integral in each of d coordinates."""
    torch.manual_seed(0)
    d, shift, spread, scale = 2, 0.8, 1.5, 1.0
    width = 2 * d * scale / 2  # k = exp(-|a - b|^2 / (2 width))

    def expected(delta, variance):
        return (width / (width + variance)) ** (d / 2) * torch.exp(
            torch.tensor(-d * delta**2 / (2 * (width + variance)))
        )

    a, b = torch.randn(3000, d), shift + spread * torch.randn(3000, d)
    exact = expected(0, 2) + expected(0, 2 * spread**2) - 2 * expected(shift, 1 + spread**2)
    assert mmd(a, b, GaussianKernel(scale)).item() == pytest.approx(exact.item(), abs=0.01)


@pytest.mark.parametrize("name", KERNELS)
def test_of_one_distribution_it_averages_to_0(name):
    torch.manual_seed(0)
    found = torch.stack([mmd(torch.randn(20, 3), torch.randn(20, 3), KERNELS[name][0]) for _ in range(400)])
    assert abs(found.mean()) < 4 * found.std() / 20 and found.min() < 0


def test_gradient_leads_to_the_prior_and_is_finite_for_equal_latents():
    z = torch.full((6, 2), 3.0, requires_grad=True)
    mmd(z, torch.randn(50, 2), InverseMultiquadratic([1.0])).backward()
    assert z.grad.isfinite().all() and (z.grad > 0).all()


@pytest.mark.parametrize("make", [lambda: InverseMultiquadratic([]), lambda: InverseMultiquadratic([1.0, 0.0])])
def test_scales_are_positive(make):
    with pytest.raises(ValueError, match="scales: got .* expected positive numbers"):
        make()
    with pytest.raises(ValueError, match="scale: got -1"):
        GaussianKernel(-1.0)
