"""Flows against autograd's Jacobian, numerical integration, and their own inverses."""

from functools import partial

import pytest
import torch
from torch.autograd.functional import jacobian
from torch.distributions import Independent, Normal

from ganvas.latents import FlowPrior, InverseAutoregressive, MaskedAutoregressive, PlanarFlow
from ganvas.latents.autoregressive import GatedMap, WhiteningMap
from ganvas.latents.flow import MOMENT_DRAWS
from ganvas.latents.made import MADE

FAMILIES = {
    "planar": lambda dim: PlanarFlow(length=3),
    "iaf": lambda dim: InverseAutoregressive(dim, maps=2, hidden=[8, 8], context=5, gate=1.0),
    "maf": lambda dim: MaskedAutoregressive(dim, maps=2, hidden=[8, 8], context=5),
}


def made(name, dim, n=1, size=1.0):
    """A flow in float64 with random weights everywhere, and the parameters it is made from."""
    torch.manual_seed(0)
    family = FAMILIES[name](dim)
    if isinstance(family, torch.nn.Module):
        family.double()
        for weight in family.parameters():
            torch.nn.init.normal_(weight, std=0.5)
    parameters = (size * torch.randn(n, family.outputs(dim), dtype=torch.float64)).requires_grad_()
    return parameters, family(parameters)


@pytest.fixture(params=FAMILIES)
def name(request):
    return request.param


def test_log_determinants_are_those_of_autograd(name):
    _, flow = made(name, 3)
    for step in flow.steps:
        z = torch.randn(1, 3, dtype=torch.float64)
        explicit = jacobian(lambda z, step=step: step.forward(z)[0], z)[0, :, 0]
        assert explicit.fill_diagonal_(0).any()  # no map of the coordinates one by one
        explicit = jacobian(lambda z, step=step: step.forward(z)[0], z)[0, :, 0]
        torch.testing.assert_close(step.forward(z)[1][0], torch.linalg.slogdet(explicit).logabsdet)


def test_inverse_leads_back_with_the_same_log_determinant(name):
    _, flow = made(name, 3, n=4, size=2.0)
    for step in flow.steps:
        z = 2 * torch.randn(5, 4, 3, dtype=torch.float64)
        image, log_det = step.forward(z)
        torch.testing.assert_close(step.inverse(image), (z, log_det), rtol=1e-6, atol=1e-6)


def test_density_of_a_draw_is_that_of_the_point(name):
    _, flow = made(name, 3, n=4)
    z = flow.rsample((2,))
    torch.testing.assert_close(flow.log_prob(z), flow.log_prob(z.clone()))


def test_gradient_of_the_density_is_that_of_finite_differences(name):
    """With respect to the point and to the parameters, where the density is found by the inverse maps."""
    parameters, flow = made(name, 2, n=2)
    torch.manual_seed(0)
    family = FAMILIES[name](2)
    if isinstance(family, torch.nn.Module):
        family.double()
        for weight in family.parameters():
            torch.nn.init.normal_(weight, std=0.5)
    z = torch.randn(2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda p, z: family(p).log_prob(z * 1.0), (parameters, z))


def test_density_integrates_to_1_on_a_grid(name):
    _, flow = made(name, 2, size=0.7)
    axis = torch.linspace(-15, 15, 301, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)[:, None]
    with torch.no_grad():
        total = flow.log_prob(grid).exp().sum() * (axis[1] - axis[0]) ** 2
    assert total == pytest.approx(1, abs=2e-3)


def test_moments_are_those_of_many_draws_and_do_not_change(name):
    _, flow = made(name, 2, n=3, size=0.5)
    with torch.no_grad():
        z = flow.rsample((20_000,))
    assert torch.equal(flow.mean, flow.mean) and flow.mean.requires_grad
    error = z.std(0) / MOMENT_DRAWS**0.5
    assert ((flow.mean - z.mean(0)).abs() < 4 * error).all() and not torch.allclose(flow.mean, flow.base.mean)
    torch.testing.assert_close(flow.stddev, z.std(0), rtol=0.3, atol=0)


def test_held_constant_the_gradient_goes_through_the_draw_alone(name):
    parameters, flow = made(name, 3, n=4)
    z = flow.rsample((2,))
    held = flow.detached()
    torch.testing.assert_close(held.log_prob(z), flow.log_prob(z))
    assert not held.log_prob(z.detach()).requires_grad
    # The truth: the gradient of the density by the point, carried back through the draw.
    point = z.detach().requires_grad_()
    (slope,) = torch.autograd.grad(flow.log_prob(point).sum(), point)
    expected = torch.autograd.grad((z * slope).sum(), parameters, retain_graph=True)
    torch.testing.assert_close(torch.autograd.grad(held.log_prob(z).sum(), parameters), expected)


def test_planar_maps_stay_invertible_where_the_paper_s_parameters_are_extreme():
    flow = PlanarFlow(1)
    parameters = torch.zeros(3, flow.outputs(2))
    parameters[0, 4:8] = torch.tensor([-9.0, 0.0, 9.0, 0.0])  # w u = -81, far below -1
    parameters[1, 4:8] = torch.tensor([1.0, 2.0, 1e-6, 0.0])  # w close to 0: no direction without limit
    posterior = flow(parameters.double())
    z = posterior.rsample((50,))
    assert posterior.log_prob(z).isfinite().all() and z.abs().max() < 20
    back = z.clone()
    for step in reversed(posterior.steps):
        back, _ = step.inverse(back)
    torch.testing.assert_close(posterior.steps[0].forward(back)[0], z)


@pytest.mark.parametrize(("dim", "context"), [(1, 0), (1, 2), (2, 0), (4, 0), (4, 3)])
def test_masks_let_an_output_see_all_earlier_inputs_and_no_other(dim, context):
    torch.manual_seed(0)
    net, h = MADE(dim, context, hidden=[12, 12]), torch.randn(1, context) if context else None
    for out in range(2):
        seen = jacobian(lambda x, out=out: net(x, h)[out], torch.randn(1, dim))[0, :, 0]
        assert torch.equal(seen != 0, torch.ones(dim, dim).tril(-1).bool())
    if h is not None:
        assert (jacobian(lambda h: net(torch.randn(1, dim), h)[0], h)[0, :, 0] != 0).all()


@pytest.mark.parametrize("kind", [partial(GatedMap, gate=1.0), WhiteningMap])
@pytest.mark.parametrize(
    ("dim", "context", "hidden"), [(1, 0, [3]), (1, 2, [5]), (4, 0, [7]), (4, 3, [12, 5]), (6, 2, [9, 4, 7])]
)
@pytest.mark.parametrize("backwards", [False, True])
def test_the_inverse_is_that_of_d_passes_of_the_whole_network(kind, dim, context, hidden, backwards):
    torch.manual_seed(0)
    flow = kind(dim, context, hidden, backwards).double()
    for weight in flow.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    y, h = torch.randn(3, 5, dim).double(), torch.randn(5, context).double() if context else None
    x = torch.zeros_like(y)
    for _ in range(dim):  # coordinate i is right after i + 1 passes
        log_scale, shift = flow.coefficients(*flow.network(x.flip(-1) if backwards else x, h))
        x = ((y.flip(-1) if backwards else y) - shift) * (-log_scale).exp()
        x = x.flip(-1) if backwards else x
    found, log_det = flow.solve(y, h)
    torch.testing.assert_close(found, x)
    torch.testing.assert_close(log_det, log_scale.sum(-1))
    weights = list(flow.parameters())
    sides = (torch.autograd.grad(z.square().sum(), weights, allow_unused=True) for z in (found, x))
    for a, b in zip(*sides, strict=True):
        torch.testing.assert_close(
            torch.zeros(()) if a is None else a, torch.zeros(()) if b is None else b, check_dtype=False
        )


def test_a_flow_prior_begins_as_the_standard_normal_and_has_the_density_of_its_draws():
    torch.manual_seed(0)
    prior = FlowPrior(3, layers=3, hidden=[8])
    z = torch.randn(5, 3)
    torch.testing.assert_close(prior.log_prob(z), Independent(Normal(torch.zeros(3), 1.0), 1).log_prob(z))
    assert 2.5 < prior.reach < 3.5


def test_a_flow_prior_has_the_density_of_its_draws():
    torch.manual_seed(0)
    prior = FlowPrior(2, layers=2, hidden=[8])
    for weight in prior.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    axis = torch.linspace(-12, 12, 401)
    with torch.no_grad():
        density = prior.log_prob(torch.cartesian_prod(axis, axis)).exp().view(401, 401)
    cell = (axis[1] - axis[0]) ** 2
    assert density.sum() * cell == pytest.approx(1, abs=2e-3)
    drawn = prior.sample(20_000, generator=torch.Generator().manual_seed(0))
    for draws, margin in ((drawn[:, 0], density.sum(1)), (drawn[:, 1], density.sum(0))):
        mean = (margin @ axis * cell).item()
        assert draws.mean().item() == pytest.approx(mean, abs=0.05)
        assert draws.var().item() == pytest.approx((margin @ (axis - mean).square() * cell).item(), rel=0.05)


def test_couplings_have_the_log_determinant_of_autograd_and_an_inverse():
    torch.manual_seed(0)
    prior = FlowPrior(5, layers=2, hidden=[8])
    for weight in prior.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    for layer in prior.layers:
        z = torch.randn(1, 5)
        image, log_det = layer(z)
        explicit = jacobian(lambda z, layer=layer: layer(z)[0], z)[0, :, 0]
        torch.testing.assert_close(log_det[0], torch.linalg.slogdet(explicit).logabsdet)
        assert explicit.fill_diagonal_(0).any()
        torch.testing.assert_close(layer.inverse(image), (z, log_det))


def test_a_family_made_for_another_dimension_is_refused():
    with pytest.raises(ValueError, match=r"posterior.dim: got 3, expected 4 as in the encoder; write \$\{prior.dim\}"):
        FAMILIES["iaf"](3).outputs(4)
