"""Contracts of priors, of families of posteriors, and of samplers that are fitted after the training."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest
import torch
from torch import nn
from torch.distributions import Independent, Normal

from ganvas.latents import LatentSampler, detached
from ganvas.types import LatentDistribution, Posterior, PosteriorFamily, Prior


class PriorContract:
    """Contract of a prior over latents. Derive a class with a fixture ``prior``."""

    @pytest.fixture
    def prior(self) -> Prior:
        """Return the prior under test."""
        raise NotImplementedError("override the fixture `prior`")

    def test_draws_are_a_function_of_the_generator(self, prior: Prior) -> None:
        """Draws are ``float32``, depend only on the generator, and leave the global random state unchanged."""
        assert isinstance(prior, Prior)
        before = torch.get_rng_state()
        z, again, other = (prior.sample(6, generator=torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
        assert z.shape == (6, prior.dim) and z.dtype == torch.float32 and z.isfinite().all()
        assert torch.equal(z, again) and not torch.equal(z, other)
        assert torch.equal(before, torch.get_rng_state())

    def test_draws_have_finite_log_densities(self, prior: Prior) -> None:
        """``log_prob`` returns one finite number for each latent, for any leading dimensions."""
        z = prior.sample(6, generator=torch.Generator().manual_seed(0))
        log_prob = prior.log_prob(z)
        assert log_prob.shape == (6,) and log_prob.isfinite().all()
        torch.testing.assert_close(prior.log_prob(z.unflatten(0, (2, 3))), log_prob.unflatten(0, (2, 3)))

    def test_a_path_leads_from_one_draw_to_the_other(self, prior: Prior) -> None:
        """The path is at its first end for t = 0 and at its second for t = 1; the density is positive along it."""
        a, b = prior.sample(2, generator=torch.Generator().manual_seed(0))
        way = prior.between(a, b, torch.tensor([0.0, 0.5, 1.0]))
        torch.testing.assert_close(way[0], a, atol=1e-5, rtol=0)
        torch.testing.assert_close(way[2], b, atol=1e-5, rtol=0)
        assert prior.log_prob(way).isfinite().all()
        assert math.isfinite(prior.reach) and prior.reach > 0

    def test_divergence_in_closed_form_is_that_of_the_densities(self, prior: Prior) -> None:
        """The closed form of the KL divergence, if any, agrees with an estimate within five standard errors."""
        mean, sd = torch.linspace(-0.2, 0.2, prior.dim)[None], torch.linspace(0.05, 0.1, prior.dim)[None]
        posterior = Independent(Normal(mean, sd), 1)
        known = prior.kl(posterior)
        if known is None:
            return
        assert known.shape in ((1, prior.dim), (1, 1)) and (known >= 0).all()
        torch.manual_seed(0)
        z = posterior.sample(torch.Size([20_000]))
        drawn = (posterior.log_prob(z) - prior.log_prob(z)).squeeze(1).double()
        error = drawn.std().item() / math.sqrt(len(drawn))
        assert known.sum().item() == pytest.approx(drawn.mean().item(), abs=5 * error + 1e-3)


class PosteriorContract:
    """Contract of a family of posteriors. Derive a class with the fixtures ``family`` and ``dim``."""

    @pytest.fixture
    def family(self) -> PosteriorFamily:
        """Return the family under test."""
        raise NotImplementedError("override the fixture `family`")

    @pytest.fixture
    def dim(self) -> int:
        """Return the dimension of the latents."""
        raise NotImplementedError("override the fixture `dim`")

    def made(self, family: PosteriorFamily, dim: int, n: int = 5) -> tuple[torch.Tensor, Posterior]:
        """Make posteriors of n examples from random parameters."""
        generator = torch.Generator().manual_seed(0)
        parameters = torch.randn(n, family.outputs(dim), generator=generator).requires_grad_()
        return parameters, family(parameters)

    def test_draws_and_densities(self, family: PosteriorFamily, dim: int) -> None:
        """There are k draws for each example, float32, with finite densities and means."""
        assert isinstance(family, PosteriorFamily) and family.space
        _, posterior = self.made(family, dim)
        assert isinstance(posterior, Posterior)
        torch.manual_seed(0)
        z = posterior.rsample((3,))
        assert z.shape == (3, 5, dim) and z.dtype == torch.float32
        log_prob = posterior.log_prob(z)
        assert log_prob.shape == (3, 5) and log_prob.isfinite().all()
        assert posterior.mean.shape == (5, dim) and posterior.mean.isfinite().all()

    def test_draws_differ_and_follow_the_global_generator(self, family: PosteriorFamily, dim: int) -> None:
        """The same state of the global generator gives the same draws, the next state others."""
        _, posterior = self.made(family, dim)
        torch.manual_seed(0)
        first, second = posterior.rsample((2,)), posterior.rsample((2,))
        torch.manual_seed(0)
        assert torch.equal(first, posterior.rsample((2,))) and not torch.equal(first, second)
        assert not torch.equal(first[0], first[1])

    def test_gradients_reach_the_parameters(self, family: PosteriorFamily, dim: int) -> None:
        """The draws and their densities have finite gradients with respect to all that is learned."""
        parameters, posterior = self.made(family, dim)
        torch.manual_seed(0)
        z = posterior.rsample((3,))
        learned = [parameters, *(family.parameters() if isinstance(family, nn.Module) else ())]
        weight = torch.linspace(-1, 1, z.numel()).view(z.shape)
        for value in ((z * weight).sum(), posterior.log_prob(z.detach()).sum()):
            gradients = torch.autograd.grad(value, learned, retain_graph=True, allow_unused=True)
            found = [gradient for gradient in gradients if gradient is not None]
            assert found and all(gradient.isfinite().all() for gradient in found)
            assert gradients[0] is not None and gradients[0].any()

    def test_it_can_be_held_constant(self, family: PosteriorFamily, dim: int) -> None:
        """Held constant, it has the same density and the same gradient to a draw, and none to all that is learned."""
        parameters, posterior = self.made(family, dim)
        learned = [parameters, *(family.parameters() if isinstance(family, nn.Module) else ())]
        z = posterior.rsample((3,)).detach().requires_grad_()
        held, plain = detached(posterior).log_prob(z), posterior.log_prob(z)
        torch.testing.assert_close(held, plain, rtol=1e-4, atol=1e-4)
        found = torch.autograd.grad(held.sum(), [z, *learned], allow_unused=True)
        torch.testing.assert_close(found[0], torch.autograd.grad(plain.sum(), z)[0], rtol=1e-4, atol=1e-4)
        assert all(gradient is None for gradient in found[1:])

    def test_an_example_does_not_depend_on_its_neighbours(self, family: PosteriorFamily, dim: int) -> None:
        """The density of an example's draw does not depend on the other examples of the batch."""
        parameters, posterior = self.made(family, dim)
        z = posterior.rsample((3,)).detach()
        alone = [family(parameters[[i]]).log_prob(z[:, [i]]) for i in range(5)]
        torch.testing.assert_close(posterior.log_prob(z), torch.cat(alone, 1), rtol=1e-4, atol=1e-4)

    def test_half_precision_is_widened(self, family: PosteriorFamily, dim: int) -> None:
        """Parameters of half precision give draws and densities in float32."""
        posterior = family(torch.zeros(2, family.outputs(dim), dtype=torch.bfloat16))
        z = posterior.rsample(())
        assert z.dtype == posterior.log_prob(z).dtype == torch.float32


class LatentSamplerContract:
    """Contract of a sampler after training. Derive a class with a fixture ``sampler``, of few steps."""

    @pytest.fixture
    def sampler(self) -> LatentSampler:
        """Return the sampler under test."""
        raise NotImplementedError("override the fixture `sampler`")

    def codes(self, n: int = 400) -> torch.Tensor:
        """Make codes of three coordinates of different size, one of them constant."""
        noise = torch.randn(n, 3, generator=torch.Generator().manual_seed(0))
        return noise * torch.tensor([2.0, 0.01, 0.0]) + torch.tensor([5.0, 0.0, -1.0])

    def test_the_fit_is_a_function_of_codes_and_arguments(self, sampler: LatentSampler) -> None:
        """The same codes give the same draws, whatever the global generator; another seed is another sampler."""
        before = torch.get_rng_state()
        first = sampler.fit(self.codes())
        assert torch.equal(before, torch.get_rng_state())
        torch.manual_seed(1)
        again = sampler.fit(self.codes())
        draws = [fitted.sample(8, generator=torch.Generator().manual_seed(0)) for fitted in (first, again)]
        assert torch.equal(*draws)
        assert dataclasses.replace(sampler, seed=sampler.seed + 1).stated() != sampler.stated()

    def test_draws_are_a_function_of_the_generator(self, sampler: LatentSampler) -> None:
        """Draws are finite ``float32`` without gradients, and depend on the generator alone."""
        fitted = sampler.fit(self.codes())
        before = torch.get_rng_state()
        z, again, other = (fitted.sample(6, generator=torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
        assert z.shape == (6, 3) and z.dtype == torch.float32 and z.isfinite().all() and not z.requires_grad
        assert torch.equal(z, again) and not torch.equal(z, other)
        assert torch.equal(before, torch.get_rng_state())

    def test_draws_lie_where_the_codes_lie(self, sampler: LatentSampler) -> None:
        """Each coordinate has about the mean and the deviation of the codes, whatever their size."""
        z = sampler.fit(self.codes()).sample(4000, generator=torch.Generator().manual_seed(0))
        unit = z.mean(0) / torch.tensor([2.0, 0.01, 1.0])
        torch.testing.assert_close(unit, torch.tensor([2.5, 0.0, -1.0]), atol=0.2, rtol=0)
        assert 1.5 < float(z[:, 0].std()) < 2.5 and 0.007 < float(z[:, 1].std()) < 0.013 and float(z[:, 2].std()) < 0.01

    def test_a_density_is_that_of_the_draws(self, sampler: LatentSampler) -> None:
        """A density, if there is one, has one finite number for each latent, and its mean over the space is 1."""
        codes = self.codes()[:, :1]
        fitted = sampler.fit(codes)
        if not isinstance(fitted, LatentDistribution):
            return
        z = torch.linspace(-10, 20, 3001)[:, None]
        density = fitted.log_prob(z)
        assert density.shape == (3001,) and float(density.exp().sum() * 0.01) == pytest.approx(1, abs=0.01)
        torch.testing.assert_close(fitted.log_prob(z[None])[0], density)

    def test_it_states_what_a_protocol_needs(self, sampler: LatentSampler) -> None:
        """What is stated holds every argument, and JSON can hold it."""
        stated = sampler.stated()
        assert json.loads(json.dumps(stated)) == stated
        assert {"kind", "revision", *(field.name for field in dataclasses.fields(sampler))} == stated.keys()
