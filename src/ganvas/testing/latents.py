"""Contract of priors."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Independent, Normal

from ganvas.types import Prior


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
        assert known.shape == (1, prior.dim) and (known >= 0).all()
        torch.manual_seed(0)
        z = posterior.sample(torch.Size([20_000]))
        drawn = (posterior.log_prob(z) - prior.log_prob(z)).squeeze(1).double()
        error = drawn.std().item() / math.sqrt(len(drawn))
        assert known.sum().item() == pytest.approx(drawn.mean().item(), abs=5 * error + 1e-3)
