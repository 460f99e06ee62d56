"""VQ-VAE and the prior over its codes: losses, gradients and samples written by hand, and a resumed training."""

from __future__ import annotations

import copy
import math
from functools import partial

import pytest
import torch

from ganvas.health.evidence import CodePerplexity, GradientNorms, Logged, UsedCodes
from ganvas.latents import FSQ, VQ, VQEMA, Autoregressive, ResidualVQ
from ganvas.models import VQVAE, CodePrior, Sampling
from ganvas.models.schedules import Constant
from ganvas.networks import gated_pixel_cnn, vq
from ganvas.networks.init import glorot_uniform_
from ganvas.objectives import Bernoulli, Gaussian, LogisticMixture
from ganvas.types import (
    Batch,
    BoundsEvidence,
    CodesExamples,
    Encodes,
    HasFirstStage,
    Reconstructs,
    Watched,
)

SHAPE, DIM, CODES, BETA = (1, 8, 8), 3, 5, 0.25
INIT = partial(glorot_uniform_, gain=1.4)
NUMBERS = {"commitment": BETA, "decay": 0.9, "restart": 0.1}
QUANTISERS = {
    "vq": lambda: VQ(CODES, DIM, **NUMBERS),
    "vq_ema": lambda: VQEMA(CODES, DIM, **NUMBERS),
    "residual": lambda: ResidualVQ(CODES, DIM, 2, **NUMBERS),
    "fsq": lambda: FSQ([3, 2, 4]),
}


def coders(channels=(4, 6), shape=SHAPE, dim=DIM, likelihood=None):
    sizes = {"blocks": 1, "hidden": 3, "init": INIT}
    return {
        "encoder": vq.Encoder(shape, dim, list(channels), **sizes),
        "decoder": vq.Decoder(shape, dim, list(reversed(channels)), likelihood=likelihood, **sizes),
    }


def common(**changes):
    return {
        "likelihood": Gaussian(sigma=1.0),
        "optimizer": partial(torch.optim.Adam, lr=1e-2),
        "ema_halflife": None,
        "gradient_clip": None,
        "schedule": Constant(),
        "schedules": {},
        "accumulate": 1,
        **changes,
    }


def vqvae(quantiser="vq_ema", seed=0, **changes):
    torch.manual_seed(seed)
    made = QUANTISERS[quantiser]() if isinstance(quantiser, str) else quantiser
    return VQVAE(**{**coders(), "quantiser": made, "frequency_decay": 0.9, **common(), **changes})


def prior_of(model, seed=0, **changes):
    """A prior over the codes of a model, whose parts it gets."""
    torch.manual_seed(seed)
    quantiser = copy.deepcopy(model.quantiser)
    sizes = {"channels": 6, "layers": 2, "kernel": 3, "hidden": 8, "init": INIT}
    network = gated_pixel_cnn.Predictor(quantiser.codes, quantiser.depth, **sizes)
    parts = {"encoder": copy.deepcopy(model.encoder), "quantiser": quantiser, "decoder": copy.deepcopy(model.decoder)}
    return CodePrior(**{**parts, "predictor": network, **common(), **changes})


@pytest.fixture
def batch():
    x = torch.rand(6, *SHAPE, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return Batch(x, None, torch.arange(6))


def same(one, other):
    a, b = one.state_dict(), other.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_the_gradients_are_those_of_equation_3(fit, batch):
    """One step of SGD from the loss written by hand, with the reconstruction's gradient copied to the encoder."""
    model = vqvae("vq", optimizer=partial(torch.optim.SGD, lr=1e-3))
    before = copy.deepcopy(model)
    z = before.encoder(batch.x)
    distance = (z.permute(0, 2, 3, 1)[..., None, :] - before.quantiser.vectors).square().sum(-1)
    vectors = before.quantiser.vectors[distance.argmin(-1)].permute(0, 3, 1, 2)
    copied = vectors.detach().requires_grad_()
    squares = (batch.x - before.decoder(copied)).square().sum((1, 2, 3)).mean() / 2
    squares.backward()
    z.backward(copied.grad, retain_graph=True)
    pulls = (z.detach() - vectors).square().sum((1, 2, 3)).mean()
    (pulls + BETA * (z - vectors.detach()).square().sum((1, 2, 3)).mean()).backward()
    fit(model, 1, batches_of=lambda: batch)
    used = distance.argmin(-1).unique()  # the others begin anew
    stepped = model.quantiser.vectors[used]
    torch.testing.assert_close(stepped, (before.quantiser.vectors - 1e-3 * before.quantiser.vectors.grad)[used])
    for name in ("encoder", "decoder"):
        pairs = zip(getattr(before, name).parameters(), getattr(model, name).parameters(), strict=True)
        for old, new in pairs:
            torch.testing.assert_close(new, old - 1e-3 * old.grad, rtol=1e-5, atol=1e-6)
    constant = 64 * math.log(2 * math.pi) / 2
    assert float(model.terms["reconstruction"]) == pytest.approx(-squares.item() - constant, rel=1e-5)
    assert float(model.terms["codebook"]) == pytest.approx(pulls.item(), rel=1e-5)
    assert float(model.terms["commitment"]) == pytest.approx(BETA * pulls.item(), rel=1e-5)
    parts = (model.terms[name] for name in ("codebook", "commitment"))
    assert float(model.terms["total"]) == pytest.approx(float(sum(parts) - model.terms["reconstruction"]), rel=1e-5)


@pytest.mark.parametrize("quantiser", QUANTISERS)
def test_every_quantiser_trains(fit, quantiser):
    model = vqvae(quantiser, likelihood=Gaussian(sigma=None))
    start = copy.deepcopy(model)
    fit(model, 4)
    trained = dict(model.named_parameters())
    assert all(not torch.equal(old, trained[name]) for name, old in start.named_parameters())
    if quantiser != "fsq":
        assert not same(model.quantiser, start.quantiser)
    assert 1 <= float(model.terms["perplexity"]) <= model.terms["used_codes"] <= model.quantiser.codes
    assert isinstance(model, Watched) and all(math.isfinite(float(term)) for term in model.terms.values())


def test_parts_of_a_batch_make_the_same_step(fit, batch):
    """The gradient is that of the whole batch, and the codebook learns from the whole batch at once."""
    whole, parts = (vqvae(accumulate=count) for count in (1, 3))
    for model in (whole, parts):
        fit(model, 1, batches_of=lambda: batch)
    for ours, theirs in zip(whole.state_dict().values(), parts.state_dict().values(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    for name, term in whole.terms.items():
        torch.testing.assert_close(term, parts.terms[name])


@pytest.mark.parametrize("quantiser", ["vq", "vq_ema", "residual"])
def test_a_resumed_run_equals_an_uninterrupted_one(fit, tmp_path, quantiser):
    whole, first, resumed = (vqvae(quantiser, ema_halflife=50) for _ in range(3))
    fit(whole, 6)
    fit(first, 3).save_checkpoint(tmp_path / "x.ckpt")
    fit(resumed, 3, start=3, ckpt_path=tmp_path / "x.ckpt")
    assert same(whole, resumed) and not same(whole, first)


def test_reconstructions_and_samples_are_decoded_codes(fit, batch):
    model = vqvae(likelihood=Bernoulli())
    fit(model, 3)
    with torch.no_grad():
        codes = model.quantiser(model.encoder(batch.x)).codes
        expected = 2 * torch.sigmoid(model.decoder(model.quantiser.vectors[codes[:, 0]].permute(0, 3, 1, 2))) - 1
    torch.testing.assert_close(model.reconstruct(batch), expected)
    assert torch.equal(model.encode(batch), codes)
    drawn = model.prior.sample(7, generator=torch.Generator().manual_seed(4))
    assert torch.equal(model.sample(7, seed=4), model.decoded(drawn))
    assert torch.equal(model.sample(7, seed=4)[2:5], model.sample_part(7, 4, slice(2, 5)))


def test_a_likelihood_may_ask_for_more_channels_than_an_image_has(fit, batch):
    likelihood = LogisticMixture(components=2)
    model = vqvae(decoder=coders(likelihood=likelihood)["decoder"], likelihood=likelihood)
    fit(model, 2)
    assert model.shape == SHAPE and model.reconstruct(batch).shape == (6, *SHAPE)
    assert model.sample(3, seed=0).abs().max() <= 1


def test_frequencies_are_those_of_the_training(fit, batch):
    model = vqvae()
    expected = torch.full((1, 2, 2, CODES), 1 / CODES)
    seen, step = [], model.quantiser.learn
    model.quantiser.learn = lambda z, codes: (seen.append(codes), step(z, codes))
    fit(model, 3, batches_of=lambda: batch)
    for codes in seen:
        counts = torch.stack([(codes == code).float().mean(0) for code in range(CODES)], -1)
        expected = 0.9 * expected + 0.1 * counts
    torch.testing.assert_close(model.prior.frequencies, expected)
    nats = -expected.log()[0][torch.arange(2)[:, None], torch.arange(2), model.encode(batch)[:, 0]].sum((1, 2))
    torch.testing.assert_close(model.code_nats(batch), nats)


def test_a_frozen_codebook_stays_as_it_is(fit):
    model = vqvae("vq")
    model.quantiser.requires_grad_(False)
    start = copy.deepcopy(model.quantiser)
    fit(model, 2)
    assert same(model.quantiser, start)


def test_the_use_of_codes_is_shown(batch):
    model = vqvae("residual")
    shown = model.evidence(batch, None, {"total": torch.ones(3), "vae/gradient_norm": torch.ones(3)})
    assert [type(one) for one in shown] == [Logged, GradientNorms, UsedCodes, CodePerplexity]
    codes = model.encode(batch)
    expected = torch.stack([codes[:, level].flatten().bincount(minlength=CODES) for level in range(2)])
    assert all(torch.equal(one.counts, expected) for one in shown[2:])
    other = Batch(-batch.x, None, batch.index)
    assert not torch.equal(model.evidence(batch, other, {})[0].counts, expected)


def test_a_prior_learns_the_codes_and_nothing_of_the_first_stage(fit, batch):
    stage = vqvae()
    fit(stage, 2)
    model = prior_of(stage, accumulate=2, ema_halflife=100)
    start = copy.deepcopy(model)
    codes = stage.encode(batch)
    with torch.no_grad():
        logits = start.learned_prior.network(codes).log_softmax(-1)
        chosen = logits[:, 0].flatten(0, 2)[torch.arange(24), codes.flatten()]
    fit(model, 1, batches_of=lambda: batch)
    assert float(model.terms["nats_per_code"]) == pytest.approx(-float(chosen.mean()), rel=1e-5)
    bits = -float(chosen.sum()) / 6 / math.log(2) / 64
    assert float(model.terms["code_bits_per_dimension"]) == pytest.approx(bits, rel=1e-5)
    fit(model, 40, batches_of=lambda: batch)
    assert float(model.terms["nats_per_code"]) < -0.8 * float(chosen.mean())
    for name in ("encoder", "quantiser", "decoder"):
        assert same(getattr(model, name), getattr(stage, name))
        assert all(not parameter.requires_grad for parameter in getattr(model, name).parameters())
    assert not same(model.learned_prior, start.learned_prior)
    assert torch.equal(model.encode(batch), codes) and model.coding() == stage.coding()
    assert model.averages.keys() == {"learned_prior"}


def test_samples_of_a_prior_are_drawn_by_it_and_decoded(fit):
    model = prior_of(vqvae("residual"), ema_halflife=10)
    fit(model, 2)
    averaged = model.evaluated("learned_prior")
    assert isinstance(averaged, Autoregressive) and not same(averaged, model.learned_prior)
    state = torch.get_rng_state()
    made = model.train().sample(5, seed=3)
    assert torch.equal(state, torch.get_rng_state()) and model.training
    codes = averaged.sample(5, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        torch.testing.assert_close(made, model.decoder(model.quantiser.embed(codes)))


def test_codes_are_drawn_in_evaluation_mode():
    model = prior_of(vqvae())
    model.learned_prior.network.heads[0].append(torch.nn.Dropout(0.9))
    assert torch.equal(model.train().sample(5, seed=3), model.eval().sample(5, seed=3))


def test_a_resumed_prior_equals_an_uninterrupted_one(fit, tmp_path):
    stage = vqvae()
    whole, first, resumed = (prior_of(stage) for _ in range(3))
    fit(whole, 4)
    fit(first, 2).save_checkpoint(tmp_path / "x.ckpt")
    for part in (resumed.encoder, resumed.quantiser):  # the checkpoint holds the first stage
        for value in part.state_dict().values():
            value.zero_()
    fit(resumed, 2, start=2, ckpt_path=tmp_path / "x.ckpt")
    assert same(whole, resumed)


def test_what_models_of_codes_can_do():
    stage = vqvae()
    for model in (stage, prior_of(stage)):
        assert isinstance(model, Reconstructs) and isinstance(model, CodesExamples)
        assert not isinstance(model, Encodes) and not isinstance(model, BoundsEvidence)
    assert isinstance(prior_of(stage), HasFirstStage) and not isinstance(stage, HasFirstStage)


def test_latents_that_are_codes_are_not_truncated():
    with pytest.raises(ValueError, match="truncation=0.7: expected a standard normal prior, got CodeFrequencies"):
        vqvae().require(Sampling(truncation=0.7))


def test_parts_that_do_not_fit_are_refused_by_name():
    with pytest.raises(ValueError, match="encoder 3, quantiser 2, decoder 3; write latent_dim: .{quantised:dim}"):
        vqvae(FSQ([3, 3]))
    with pytest.raises(ValueError, match=r"into a grid of \(2, 2\), the decoder makes \(1, 8, 8\) of \(4, 4\)"):
        vqvae(decoder=coders(channels=[4])["decoder"])
    other = gated_pixel_cnn.Predictor(9, 1, 4, 1, 3, 4, INIT)
    with pytest.raises(ValueError, match="predictor knows 9 codes, 1 at a place, the quantiser has 5 and 1"):
        prior_of(vqvae(), predictor=other)
