"""VAEs with categories: the evidence by summing over all of them, bounds, schedules of the temperature, refusals."""

import math
from functools import partial

import pytest
import torch
from torch import nn

from ganvas.latents import Codes, Gumbel, Normal
from ganvas.models import Ramp
from ganvas.networks import init, mlp
from ganvas.objectives import ELBO, Bernoulli, JointCapacity
from ganvas.types import Batch

SHAPE, SIZES = (1, 2, 2), [3, 2]
PRIOR = Codes(5, SIZES, 0)


@pytest.fixture
def model(variational):
    def make(prior=PRIOR, temperature=0.5, **changes):
        torch.manual_seed(0)
        fill = partial(init.normal_, std=1.0)
        family = Gumbel(prior.categorical, temperature, False)
        encoder = mlp.Encoder(SHAPE, prior.dim, [], "ReLU", partial(init.normal_, std=0.2), family)
        decoder = mlp.Decoder(SHAPE, prior.dim, [], "ReLU", fill)
        return variational(prior=prior, encoder=encoder, decoder=decoder, likelihood=Bernoulli(), **changes)

    return make


@pytest.fixture
def batch():
    x = torch.randint(0, 2, (4, *SHAPE), generator=torch.Generator().manual_seed(1)) * 2.0 - 1
    return Batch(x, None, torch.arange(4))


def categories():
    """All six latents, and the two categories of each."""
    pairs = torch.cartesian_prod(torch.arange(3), torch.arange(2))
    return torch.cat([nn.functional.one_hot(pairs[:, 0], 3), nn.functional.one_hot(pairs[:, 1], 2)], 1).float(), pairs


def joint(model, batch):
    """log p(x, z) of every image and all six latents, (n, 6)."""
    z, _ = categories()
    location = model.decoder(z)
    log_px_z = torch.stack([model.likelihood.log_prob(x.expand(6, *SHAPE), location, None) for x in batch.x])
    return log_px_z - math.log(6)


def chances(model, batch):
    """log q(z | x) of the same."""
    _, pairs = categories()
    first, second = model.encoder.output(batch.x.flatten(1)).split(SIZES, 1)
    return first.log_softmax(1)[:, pairs[:, 0]] + second.log_softmax(1)[:, pairs[:, 1]]


def test_the_bound_comes_to_the_sum_over_all_categories(model, batch):
    model = model()
    exact = joint(model, batch).logsumexp(1)
    torch.manual_seed(0)
    bound = model.log_weights(batch, 4000).logsumexp(0) - math.log(4000)
    torch.testing.assert_close(bound, exact.detach(), atol=0.05, rtol=0)


def test_weights_are_the_joint_over_the_posterior(model, batch):
    model = model()
    torch.manual_seed(0)
    weights = model.log_weights(batch, 200)
    possible = (joint(model, batch) - chances(model, batch)).detach()
    distance = (weights.T[:, :, None] - possible[:, None, :]).abs()
    assert float(distance.min(-1).values.max()) < 1e-4  # every weight is that of one of the six latents
    assert len(set(distance[0].argmin(-1).tolist())) > 2


def test_the_elbo_in_evaluation_is_that_of_the_sum(model, batch):
    model = model(objective=ELBO(4000, 1.0, 0.0))
    torch.manual_seed(0)
    terms = model.evaluate(batch).named()
    q, log_p = chances(model, batch), joint(model, batch)
    expected = (q.exp() * (log_p - q)).sum(1).mean()
    kl = (q.exp() * (q + math.log(6))).sum(1).mean()
    assert float(terms["kl"]) == pytest.approx(float(kl), rel=1e-4)
    assert float(terms["elbo"]) == pytest.approx(float(expected), abs=0.05)


def test_a_schedule_moves_the_temperature(model, batch, fit):
    trained = model(schedules={"temperature": Ramp(start=2.0, end=0.5, images=8)}, temperature=2.0)
    fit(trained, 3, batches_of=lambda: batch)
    assert trained.encoder.posterior.temperature == trained.temperature == 0.5
    assert trained.bearers()["temperature"] == 2.0  # what the schedule starts from


def test_normal_latents_and_codes_train_together_with_two_capacities(model, batch, fit):
    prior = Codes(7, SIZES, 0)
    trained = model(prior, objective=JointCapacity(1, SIZES, 30.0, 1.0, 1.0), ema_halflife=10)
    fit(trained, 2, batches_of=lambda: batch)
    assert {"distance_continuous", "distance_codes", "kl_codes"} <= trained.terms.keys()
    z = trained.prior.sample(3, generator=torch.Generator().manual_seed(0))
    assert z.shape == (3, 7) and torch.equal(z[:, 2:].sum(1), torch.full((3,), 2.0))
    assert trained.sample(3, seed=0).shape == (3, *SHAPE)


def test_priors_and_posteriors_of_other_spaces_are_refused(model, variational):
    with pytest.raises(ValueError, match="posterior=gumbel"):
        variational(prior=Codes(4, [2], 0))
    with pytest.raises(ValueError, match="codes and numbers"):
        model(Codes(6, SIZES, 1))
    fill = partial(init.normal_, std=1.0)
    family = Gumbel([2], 1.0, False)
    with pytest.raises(ValueError, match="write prior=categorical"):
        variational(
            prior=Normal(4),
            encoder=mlp.Encoder((1, 8, 8), 4, [], "ReLU", fill, family),
            decoder=mlp.Decoder((1, 8, 8), 4, [], "ReLU", fill),
        )
