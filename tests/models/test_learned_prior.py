"""A learned prior is a part of the VAE: trained, averaged, saved, and made from the encoder where it asks for that."""

import pytest
import torch
from torch import nn
from torch.distributions import Independent, Normal

from ganvas.types import Batch, Prior, ReadsEncoder

SHAPE = (1, 8, 8)


class Moved(nn.Module):
    """N(m, I) with a learned m; its log density is known."""

    space = "reals"
    reach = 3.0

    def __init__(self, dim):
        super().__init__()
        self.dim = dim
        self.mean = nn.Parameter(torch.ones(dim))

    def sample(self, n, *, device="cpu", generator=None):
        return torch.randn(n, self.dim, device=device, generator=generator) + self.mean.detach().to(device)

    def log_prob(self, z):
        return Independent(Normal(self.mean, 1.0), 1).log_prob(z)

    def kl(self, posterior):
        return None

    def between(self, a, b, t):
        return torch.lerp(a, b, t[:, None])


class OfEncoder(Moved):
    """The same around the posterior mean of a blank image: a stand-in for priors that read the encoder."""

    def given(self, encode):
        made = Moved(self.dim)
        made.mean = nn.Parameter(self.mean + encode(torch.zeros(1, *SHAPE)).mean[0])
        return made


@pytest.fixture
def batch():
    x = torch.randint(0, 2, (5, *SHAPE), generator=torch.Generator().manual_seed(0)) * 2.0 - 1
    return Batch(x, None, torch.arange(5))


def test_it_is_trained_averaged_and_saved(variational, fit):
    model = variational(prior=Moved(4), ema_halflife=100)
    assert isinstance(model.prior, Prior)
    assert {"learned_prior.mean", "averages.learned_prior.module.mean"} <= model.state_dict().keys()
    fit(model, 3)
    trained, averaged = model.learned_prior.mean, model.prior.mean
    assert not torch.equal(trained, torch.ones(4)) and not torch.equal(trained, averaged)
    drawn = model.prior.sample(3, generator=torch.Generator().manual_seed(0))
    expected = torch.randn(3, 4, generator=torch.Generator().manual_seed(0)) + averaged
    torch.testing.assert_close(drawn, expected)


def test_the_bound_is_that_of_its_density(variational, batch):
    model = variational(prior=Moved(4))
    torch.manual_seed(3)
    found = model.log_weights(batch, 2)
    torch.manual_seed(3)
    with torch.no_grad():
        posterior = model.encoder(batch.x)
        z = posterior.rsample((2,))
        pixels = model.likelihood.log_prob(batch.x, model.decoder(z.flatten(0, 1)).unflatten(0, (2, 5)), None)
    expected = pixels + Normal(1.0, 1.0).log_prob(z).sum(-1) - posterior.log_prob(z)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-4)


def test_it_can_be_made_from_the_encoder(variational):
    prior = OfEncoder(4)
    assert isinstance(prior, ReadsEncoder)
    model = variational(prior=prior)
    with torch.no_grad():
        expected = 1 + model.encoder(torch.zeros(1, *SHAPE)).mean[0]
        torch.testing.assert_close(model.prior.mean, expected)


def test_the_encoder_that_it_reads_is_evaluated_outside_of_training(variational, monkeypatch):
    """Dropout and batch statistics of the encoder do not act on a sample, and a sample does not act on them."""
    model, modes = variational(prior=OfEncoder(4)).train(), []
    monkeypatch.setattr(OfEncoder, "given", lambda self, encode: modes.append(encode.training) or Moved(4))
    assert isinstance(model.prior, Moved) and modes == [False] and model.encoder.training
    model.prior_by(model.trained)
    assert modes == [False, True]


def test_a_game_refuses_it(adversarial):
    with pytest.raises(ValueError, match="Moved is learned, and a GAN's losses do not train it; write prior=normal"):
        adversarial(prior=Moved(4))
