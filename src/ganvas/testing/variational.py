"""Contracts of likelihoods and losses in their place, of bounds on the evidence, and of objectives that bound none."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch.distributions import Independent, Normal

from ganvas.latents import normal_kl
from ganvas.objectives import Autoencoding, Bound, Draws, FromDraws, Likelihood, ReconstructionLoss
from ganvas.testing.values import SHAPES, Seeded, assert_terms, assert_value
from ganvas.types import Locates


class LikelihoodContract(Seeded):
    """Contract of a likelihood. Derive a class with a fixture ``likelihood``."""

    @pytest.fixture
    def likelihood(self) -> Likelihood:
        """Return the likelihood under test."""
        raise NotImplementedError("override the fixture `likelihood`")

    def test_is_a_frozen_value(self, likelihood: Likelihood) -> None:
        """The part is a frozen dataclass, equals its copy, and names the space of its probabilities."""
        assert_value(likelihood)
        assert likelihood.space

    @pytest.mark.parametrize("shape", SHAPES)
    @pytest.mark.parametrize("k", [None, 3])
    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
    def test_log_densities(
        self, likelihood: Likelihood, shape: tuple[int, ...], k: int | None, dtype: torch.dtype
    ) -> None:
        """Each example and draw has one float32 number, with finite gradients to location and learned scale."""
        x, outputs = torch.rand(5, *shape).round() * 2 - 1, _location_shape(likelihood, shape)
        location = torch.randn(*([] if k is None else [k]), 5, *outputs).to(dtype).requires_grad_()
        start = torch.full((shape[0],), likelihood.initial_log_scale) if likelihood.learned_scale else None
        log_scale = None if start is None else start.requires_grad_()
        log_prob = likelihood.log_prob(x, location, log_scale)
        assert log_prob.shape == ((5,) if k is None else (k, 5))
        assert log_prob.dtype == torch.float32
        wanted = [location] if log_scale is None else [location, log_scale]
        for gradient in torch.autograd.grad(log_prob.sum(), wanted):
            assert torch.isfinite(gradient).all() and gradient.abs().sum() > 0
        assert likelihood.mean(location if k is None else location[0]).shape == x.shape

    def test_an_example_does_not_depend_on_its_neighbours(self, likelihood: Likelihood) -> None:
        """The density of an example does not depend on the other examples of the batch."""
        x, location = torch.rand(6, 1, 4, 4) * 2 - 1, torch.randn(2, 6, *_location_shape(likelihood, (1, 4, 4)))
        log_scale = torch.zeros(1) if likelihood.learned_scale else None
        whole = likelihood.log_prob(x, location, log_scale)
        alone = [likelihood.log_prob(x[[i]], location[:, [i]], log_scale) for i in range(6)]
        torch.testing.assert_close(whole, torch.cat(alone, dim=1))
        torch.testing.assert_close(whole[1], likelihood.log_prob(x, location[1], log_scale))

    def test_is_highest_where_its_mean_is_the_example(self, likelihood: Likelihood) -> None:
        """The location that is found by ascending the density has a mean equal to the example."""
        x = torch.full((1, 1, 4, 4), 0.6)
        location = torch.zeros(1, *_location_shape(likelihood, (1, 4, 4)), requires_grad=True)
        log_scale = torch.full((1,), -3.0) if likelihood.learned_scale else None
        adam = torch.optim.Adam([location], lr=0.03)
        for _ in range(200):
            adam.zero_grad()
            (-likelihood.log_prob(x, location, log_scale)).sum().backward()
            adam.step()
        torch.testing.assert_close(likelihood.mean(location), x, atol=0.05, rtol=0)


class ReconstructionLossContract(Seeded):
    """Contract of a loss that stands in the place of a likelihood. Derive a class with a fixture ``loss``."""

    @pytest.fixture
    def loss(self) -> ReconstructionLoss:
        """Return the loss under test."""
        raise NotImplementedError("override the fixture `loss`")

    def test_is_a_frozen_value(self, loss: ReconstructionLoss) -> None:
        """The part is a frozen dataclass, equals its copy, and is no likelihood."""
        assert_value(loss)
        assert not isinstance(loss, Likelihood)

    @pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32)])
    def test_is_0_for_the_image_itself_and_its_gradient_leads_there(
        self, loss: ReconstructionLoss, shape: tuple[int, ...]
    ) -> None:
        """The loss is positive but for the image itself; a small step against the gradient lowers it."""
        x = torch.rand(2, *shape) * 1.8 - 0.9
        torch.testing.assert_close(loss(x, x.atanh()), torch.zeros(2), atol=1e-3, rtol=0)
        location = torch.randn(3, 2, *shape).requires_grad_()
        found = loss(x, location)
        assert found.shape == (3, 2) and (found > 0.1 * loss.weight * loss.distance(x / 2 + 0.5, x / 2 + 0.5)).all()
        (gradient,) = torch.autograd.grad(found.sum(), location)
        assert gradient.isfinite().all()
        step = 0.01 * gradient / gradient.square().sum((2, 3, 4), keepdim=True).sqrt()
        assert (loss(x, location - step) < found).all()
        assert loss.mean(location[0]).abs().max() <= 1

    def test_an_image_does_not_depend_on_its_neighbours(self, loss: ReconstructionLoss) -> None:
        """The loss of an image does not depend on the other images, nor on the other draws."""
        x, location = torch.rand(3, 1, 28, 28) * 2 - 1, torch.randn(2, 3, 1, 28, 28)
        whole = loss(x, location)
        torch.testing.assert_close(whole, torch.cat([loss(x[[i]], location[:, [i]]) for i in range(3)], dim=1))
        torch.testing.assert_close(whole[1], loss(x, location[1]))


class _FromDrawsContract(Seeded):
    """What both kinds of objectives of a VAE promise."""

    @pytest.fixture
    def bound(self) -> FromDraws:
        """Return the objective under test."""
        raise NotImplementedError("override the fixture `bound`")

    def test_is_a_frozen_value(self, bound: FromDraws) -> None:
        """The part is a frozen dataclass and equals its copy, and it needs at least one draw."""
        assert_value(bound)
        assert bound.samples >= 1

    def test_asked_twice_it_has_the_same_gradient(self, bound: FromDraws) -> None:
        """The objective leaves the draws and their graph as they are."""
        draws = _decoded_draws(bound.samples, 5)
        wanted = [draws.posterior.mean, *draws.of_decoder().parameters()]
        torch.manual_seed(1)
        first = torch.autograd.grad(bound(draws).total, wanted, retain_graph=True, allow_unused=True)
        torch.manual_seed(1)
        second = torch.autograd.grad(bound(draws).total, wanted, allow_unused=True)
        assert first[0] is not None and first[0].abs().sum() > 0
        torch.testing.assert_close(first, second)


class BoundContract(_FromDrawsContract):
    """Contract of a bound on the evidence. Derive a class with a fixture ``bound``."""

    @pytest.fixture
    def bound(self) -> Bound:
        """Return the bound under test."""
        raise NotImplementedError("override the fixture `bound`")

    @pytest.mark.parametrize("times", [1, 4])
    def test_terms(self, bound: Bound, times: int) -> None:
        """Terms are finite, and ELBO, reconstruction and KL agree with the draws."""
        batch = _random_draws(times * bound.samples, 5)
        log_px_z, kl = batch.log_px_z, batch.divergence
        terms = bound(batch)
        assert_terms(terms)
        (gradient,) = torch.autograd.grad(terms.total, log_px_z)
        assert (gradient <= 0).all() and gradient.sum().item() == pytest.approx(-1)
        torch.testing.assert_close(terms.elbo, terms.reconstruction - terms.kl)
        torch.testing.assert_close(terms.elbo, log_px_z.mean() - kl.sum(1).mean())
        assert bound.bounds_evidence

    def test_a_divergence_without_a_closed_form_is_estimated(self, bound: Bound) -> None:
        """The KL is the estimate from the draws, which may be negative, if it has no closed form."""
        draws = dataclasses.replace(_random_draws(2 * bound.samples, 5), kl=None)
        terms = bound(draws)
        assert_terms(terms)
        estimate = (draws.log_qz_x - draws.log_pz).mean()
        torch.testing.assert_close(terms.kl, estimate)
        torch.testing.assert_close(terms.elbo, draws.log_px_z.mean() - estimate)

    def test_is_a_mean_over_images(self, bound: Bound) -> None:
        """Reconstruction, KL, ELBO and bound of a batch are the means of those of parts of equal size.

        The objective itself and its penalties need not be: free bits act on the mean over the batch.
        """
        batch = _random_draws(4 * bound.samples, 6)
        whole = bound(batch).named()
        parts = [bound(_some(batch, slice(i, i + 2))).named() for i in (0, 2, 4)]
        for name in ("reconstruction", "kl", "elbo", "bound"):
            torch.testing.assert_close(whole[name], torch.stack([part[name] for part in parts]).mean(), msg=name)

    def test_it_is_evaluated_without_gradients(self, bound: Bound) -> None:
        """Without gradients the terms are those with them."""
        draws = _decoded_draws(bound.samples, 5)
        with torch.no_grad():
            held = dataclasses.replace(draws, z=draws.z.detach())
            torch.manual_seed(1)
            terms = bound(held).named()
        torch.manual_seed(1)
        torch.testing.assert_close(terms, bound(draws).named())


class AutoencodingContract(_FromDrawsContract):
    """Contract of an autoencoder's objective that bounds no evidence. Derive a class with a fixture ``bound``."""

    @pytest.fixture
    def bound(self) -> Autoencoding:
        """Return the objective under test."""
        raise NotImplementedError("override the fixture `bound`")

    def test_terms(self, bound: Autoencoding) -> None:
        """Terms are finite; they hold the reconstruction, and nothing that would pass for a bound."""
        draws = _decoded_draws(bound.samples, 5)
        terms = bound(draws)
        assert_terms(terms)
        assert not bound.bounds_evidence
        assert not {"elbo", "bound", "kl"} & terms.named().keys()
        torch.testing.assert_close(terms.reconstruction, draws.log_px_z.mean())

    def test_the_likelihood_has_weight_one(self, bound: Autoencoding) -> None:
        """The loss falls by what the log-likelihood of an image gains, divided by the number of images."""
        draws = _decoded_draws(bound.samples, 5)
        log_px_z = draws.log_px_z.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(bound(dataclasses.replace(draws, log_px_z=log_px_z)).total, log_px_z)
        torch.testing.assert_close(gradient, torch.full_like(gradient, -1 / gradient.numel()))


def _location_shape(likelihood: Likelihood, shape: tuple[int, ...]) -> tuple[int, ...]:
    return likelihood.location_shape(shape) if isinstance(likelihood, Locates) else shape


def _random_draws(k: int, n: int, d: int = 3) -> Draws:
    """Make draws whose densities do not depend on each other."""
    log_px_z, log_pz, log_qz_x = (torch.randn(k, n).requires_grad_() for _ in range(3))
    kl = normal_kl(torch.randn(n, d), torch.rand(n, d) + 0.1).requires_grad_()
    posterior = Independent(Normal(torch.zeros_like(kl), 1.0), 1)
    z = torch.zeros(k, n, d)
    return Draws(log_px_z, log_pz, log_qz_x, kl, z, posterior, n_train=100, prior_z=torch.randn(k * n, d))


def _some(draws: Draws, part: slice) -> Draws:
    """Take some of the images of :func:`_random_draws`."""
    assert draws.kl is not None
    densities = (draws.log_px_z[:, part], draws.log_pz[:, part], draws.log_qz_x[:, part])
    kl, z = draws.kl[part], draws.z[:, part]
    posterior = Independent(Normal(torch.zeros_like(kl), 1.0), 1)
    return Draws(*densities, kl, z, posterior, draws.n_train, prior_z=draws.of_prior()[: len(z) * len(kl)])


def _decoded_draws(k: int, n: int, d: int = 3) -> Draws:
    """Make draws of a small model, whose graph reaches encoder and decoder."""
    loc, scale = torch.randn(n, d).requires_grad_(), (torch.rand(n, d) + 0.1).requires_grad_()
    posterior, prior = Independent(Normal(loc, scale), 1), Independent(Normal(torch.zeros(d), 1.0), 1)
    z, decoder = posterior.rsample(torch.Size([k])), torch.nn.Linear(d, 4)
    location = decoder(z)
    log_px_z = -(torch.randn(n, 4) - location).square().sum(-1)
    densities = (log_px_z, prior.log_prob(z), posterior.log_prob(z), normal_kl(loc, scale))
    prior_z = prior.sample(torch.Size([k * n]))
    return Draws(*densities, z, posterior, 100, location, decoder, prior_z)
