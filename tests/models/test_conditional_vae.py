"""The VAE with classes: its terms written out by hand, its evidence on linear models, its samples, and refusals."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence
from torch.nn.functional import one_hot

from ganvas.latents import Normal as NormalPrior
from ganvas.latents import VampPrior
from ganvas.models.by_class import rows_of_classes
from ganvas.networks import LabelledDecoder, LabelledEncoder, UnitRange, init, mlp
from ganvas.objectives import Gaussian
from ganvas.types import Batch

SHAPE, D, K, SIGMA = (3,), 2, 4, 0.8
Y = torch.tensor([0, 3, 1, 1, 2, 0])


@pytest.fixture
def model(variational):
    def make(hidden=(), **changes):
        torch.manual_seed(0)
        fill = partial(init.normal_, std=0.5)
        near = partial(init.normal_, std=0.1)  # posteriors close to the prior weigh draws evenly
        encoder = LabelledEncoder(mlp.Encoder((SHAPE[0] + K,), D, list(hidden), "ReLU", near), K)
        decoder = LabelledDecoder(mlp.Decoder(SHAPE, D + K, list(hidden), "ReLU", fill), K)
        parts = {"prior": NormalPrior(D), "encoder": encoder, "decoder": decoder, "likelihood": Gaussian(SIGMA)}
        return variational(**{**parts, **changes})

    return make


@pytest.fixture
def batch():
    return Batch(torch.randn(6, *SHAPE, generator=torch.Generator().manual_seed(1)), Y, torch.arange(6))


def test_the_elbo_is_that_of_joined_inputs(model, batch):
    model, classes = model(hidden=[8]), one_hot(Y, K).float()
    torch.manual_seed(3)
    terms = model.evaluate(batch).named()
    torch.manual_seed(3)
    posterior = model.encoder.encoder(torch.cat([batch.x, classes], 1))
    z = posterior.rsample((1,))[0]
    location = model.decoder.decoder(torch.cat([z, classes], 1))
    kl = kl_divergence(posterior, Independent(Normal(torch.zeros(6, D), 1.0), 1)).mean()
    log_px_z = Independent(Normal(location, SIGMA), 1).log_prob(batch.x).mean()
    assert float(terms["kl"]) == pytest.approx(float(kl), rel=1e-5)
    assert float(terms["reconstruction"]) == pytest.approx(float(log_px_z), rel=1e-5)
    assert model.classes == K and model.evidence_space.endswith(", given the class")


def test_the_bound_comes_to_the_evidence_given_the_class(model, batch):
    """With a linear decoder, p(x | y) = N(W_z 0 + W_y e_y + b, W_z W_z' + sigma^2 I)."""
    model = model().double()
    batch = Batch(batch.x.double(), batch.y, batch.index)
    weight, bias = model.decoder.decoder.output.weight, model.decoder.decoder.output.bias
    w, of_class = weight.split([D, K], 1)
    covariance = w @ w.T + SIGMA**2 * torch.eye(3).double()
    exact = MultivariateNormal(of_class.T[Y] + bias, covariance).log_prob(batch.x)
    torch.manual_seed(0)
    bound = model.log_weights(batch, 20_000).logsumexp(0) - torch.tensor(20_000).log()
    torch.testing.assert_close(bound, exact.detach(), atol=0.1, rtol=0)


def test_classes_are_drawn_as_often_as_in_the_data_and_rows_differ_by_class_alone(model, fit, batch):
    trained = model(hidden=[8], ema_halflife=10)
    trained.learn_of(6, Y)
    fit(trained, 2, batches_of=lambda: batch)
    assert trained.label_marginal.tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 6, 1 / 6])
    y = trained.draw_labels(5, seed=0)
    assert torch.equal(trained.sample(5, seed=0), trained.sample(5, seed=0, y=y))
    rows = rows_of_classes(trained, [2, 0], columns=3, seed=1)
    z = trained.prior.sample(3, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(rows[:3], trained.decoded(z, torch.full((3,), 2)))
    made = trained.reconstruct(batch)
    posterior = trained.posterior(batch)
    torch.testing.assert_close(made, trained.decoded(posterior.mean, Y))


def test_an_encoder_of_another_range_reads_classes_as_0_and_1():
    seen = []

    class Inner(mlp.Encoder):
        def forward(self, x):
            seen.append(x)
            return super().forward(x)

    encoder = LabelledEncoder(UnitRange(Inner((1 + K, 2, 2), D, [], "ReLU", nn.init.zeros_)), K)
    assert encoder.shape == (1, 2, 2) and encoder.posterior.outputs(D) == 2 * D
    encoder(torch.zeros(6, 1, 2, 2), Y)
    assert torch.equal(seen[0][:, 1:, 0, 0], one_hot(Y, K).float()) and (seen[0][:, 0] == 0.5).all()


def test_what_has_no_room_for_classes_is_refused(model):
    with pytest.raises(ValueError, match="encoder_shape"):
        LabelledEncoder(mlp.Encoder((2,), D, [], "ReLU", nn.init.zeros_), K)
    with pytest.raises(ValueError, match="decoder_latents"):
        LabelledDecoder(mlp.Decoder(SHAPE, K, [], "ReLU", nn.init.zeros_), K)
    with pytest.raises(ValueError, match="made of posteriors of images without a class"):
        model(prior=VampPrior(D, SHAPE, 3, 0.0, 1.0))
