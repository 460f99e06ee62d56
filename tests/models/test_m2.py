"""M2: its evidence where it is exact, its bound by hand, which labels it reads, and its accuracy as a score."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.distributions import MultivariateNormal, kl_divergence
from torch.distributions import Normal as TorchNormal
from torch.nn.functional import one_hot

from ganvas.data.datamodule import DataModule
from ganvas.data.hold_out import hold_out
from ganvas.data.source import Source, TensorExamples
from ganvas.data.transforms import Identity
from ganvas.latents import Normal
from ganvas.metrics.base import CLASSES
from ganvas.metrics.registry import metrics, settings_of
from ganvas.models import M2
from ganvas.models.schedules import Constant
from ganvas.networks import LabelledDecoder, LabelledEncoder, Recognising, init, mlp
from ganvas.objectives import Gaussian, SemiSupervised
from ganvas.scoring.asked import Asked
from ganvas.scoring.material import Gathered
from ganvas.scoring.references import Reference, own_reference
from ganvas.scoring.subjects import ImagesSubject, ModelSubject
from ganvas.types import Batch, BoundsEvidence, Classifies, Encodes, Reconstructs

SHAPE, D, K, SIGMA = (3,), 2, 4, 0.8
Y = torch.tensor([0, 3, 1, 1, 2, 0])


def made(hidden=(), **changes):
    torch.manual_seed(0)
    fill = partial(init.normal_, std=0.5)
    parts = {
        "prior": Normal(D),
        "encoder": LabelledEncoder(mlp.Encoder((SHAPE[0] + K,), D, list(hidden), "ReLU", fill), K),
        "decoder": LabelledDecoder(mlp.Decoder(SHAPE, D + K, list(hidden), "ReLU", fill), K),
        "classifier": Recognising(mlp.Critic(SHAPE, [8], "ReLU", fill), K),
        "likelihood": Gaussian(SIGMA),
        "objective": SemiSupervised(1, 0.1),
        "labelled": 3,
        "optimizer": partial(torch.optim.Adam, lr=1e-2),
        "ema_halflife": None,
        "gradient_clip": None,
        "schedule": Constant(),
        "schedules": {},
        "accumulate": 1,
    }
    return M2(**{**parts, **changes})


def learn(model, labels):
    """Tell the model of its data as a training does."""
    model.learn_of(len(labels), labels, hold_out(len(labels), model.labelled, labels, argument="model.labelled")[1])


@pytest.fixture
def batch():
    return Batch(torch.randn(6, *SHAPE, generator=torch.Generator().manual_seed(1)), Y, torch.arange(6))


def evidence(model, x):
    """log sum_y p(y) N(x; W_y + b, W_z W_z' + sigma^2 I): the decoder is linear."""
    weight, bias = model.decoder.decoder.output.weight, model.decoder.decoder.output.bias
    w, of_class = weight.split([D, K], 1)
    covariance = w @ w.T + SIGMA**2 * torch.eye(3).to(w)
    parts = [MultivariateNormal(of_class[:, y] + bias, covariance).log_prob(x) for y in range(K)]
    return (torch.stack(parts, 1) + model.label_marginal.log()).logsumexp(1)


def test_the_bound_comes_to_the_evidence_over_classes_and_latents(batch):
    model = made().double()
    learn(model, Y)
    batch = Batch(batch.x.double(), batch.y, batch.index)
    exact = evidence(model, batch.x).detach()
    torch.manual_seed(0)
    bound = model.log_weights(batch, 20_000).logsumexp(0) - torch.tensor(20_000).log()
    torch.testing.assert_close(bound, exact, atol=0.1, rtol=0)
    assert float(model.evaluate(batch).elbo) < float(exact.mean())


def test_the_terms_in_evaluation_are_those_of_every_class(batch):
    model = made(hidden=[8])
    torch.manual_seed(3)
    terms = model.evaluate(batch).named()
    torch.manual_seed(3)
    x, y = batch.x.repeat_interleave(K, 0), torch.arange(K).repeat(6)
    posterior = model.encoder.encoder(torch.cat([x, one_hot(y, K).float()], 1))
    z = posterior.rsample((1,))[0]
    location = model.decoder.decoder(torch.cat([z, one_hot(y, K).float()], 1))
    kl = kl_divergence(posterior.base_dist, TorchNormal(0.0, 1.0)).sum(1)
    by_class = TorchNormal(location, SIGMA).log_prob(x).sum(1) - torch.tensor(float(K)).log() - kl
    q = model.classifier.read(batch.x).recognised.softmax(1)
    expected = (q * (by_class.view(6, K) - q.log())).sum(1).mean()
    assert float(terms["elbo"]) == pytest.approx(float(expected.detach()), rel=1e-5)
    torch.testing.assert_close(model.class_logits(batch), q.log())


def test_only_the_chosen_labels_are_read_each_class_in_its_share(batch, fit):
    labels = torch.tensor([0] * 60 + [1] * 30 + [2] * 10)
    model = made(labelled=10)
    learn(model, labels)
    assert model.shown.sum() == 10 and labels[model.shown].bincount().tolist() == [6, 3, 1]
    assert model.label_marginal.tolist() == [0.25] * 4  # a class that no image shows keeps its probability
    again = made(labelled=10)
    learn(again, labels)
    assert torch.equal(model.shown, again.shown)

    def trained(other):
        model = made(labelled=3, ema_halflife=10)
        learn(model, Y)
        y = Y.where(model.shown, (Y + other) % K)
        fit(model, 2, batches_of=lambda: Batch(batch.x, y, batch.index))
        return model

    first, second = trained(0), trained(1)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert float(first.terms["classification"]) > 0


def test_it_learns_classes_from_few_labels(fit):
    """Four far points; 8 of 400 images show their class."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(400) % K
    x = 2 * torch.eye(4)[y][:, :3] + 0.1 * torch.randn(400, 3, generator=generator)
    model = made(hidden=[16], labelled=8, objective=SemiSupervised(1, 5.0))
    learn(model, y)
    whole = Batch(x, y, torch.arange(400))
    before = float(model.evaluate(whole).elbo)
    fit(model, 150, batches_of=lambda: whole)
    assert float((model.class_logits(whole).argmax(1) == y).float().mean()) > 0.95
    assert float(model.evaluate(whole).elbo) > before
    made_again = model.reconstruct(whole)
    assert float((made_again - x).square().mean()) < float(x.var(0).mean())
    assert model.sample(5, seed=0).shape == (5, *SHAPE)


def test_moments_are_those_of_the_mixture_over_classes(batch):
    model = made(hidden=[8])
    ((mean, deviation),) = model.posterior_moments([batch])
    weights = model.class_logits(batch).exp()
    y = torch.multinomial(weights, 20_000, replacement=True, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        every = torch.stack([model.encoder(batch.x, torch.full((6,), c)).sample((20_000,)) for c in range(K)])
    z = every.gather(0, y.T[None, :, :, None].expand(1, -1, -1, D))[0]
    torch.testing.assert_close(z.mean(0), mean, atol=0.08, rtol=0)
    torch.testing.assert_close(z.std(0), deviation, atol=0.08, rtol=0)


def test_what_it_can_do():
    model = made()
    for ability in (BoundsEvidence, Encodes, Reconstructs, Classifies):
        assert isinstance(model, ability)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labelled": 0}, "labelled=0: expected at least 1"),
        ({"prior": Normal(5)}, "latent dimensions differ"),
        ({"classifier": Recognising(mlp.Critic(SHAPE, [8], "ReLU", nn.init.zeros_), 3)}, "3 outputs, the encoder 4"),
        ({"encoder": mlp.Encoder(SHAPE, D, [], "ReLU", nn.init.zeros_)}, "that read classes"),
    ],
)
def test_parts_that_do_not_fit_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        made(**changes)


class Corners(Source):
    """Images of one pixel a class, bright where the class is; ``wrong`` labels of the test split are another class."""

    def __init__(self, wrong=0):
        super().__init__("corners", (3,))
        self.classes, self.wrong = ("a", "b", "c", "d"), wrong

    @property
    def splits(self):
        return ("train", "test")

    def _load(self, split):
        y = torch.arange(40) % K
        x = 2 * torch.eye(4)[y][:, :3]
        shown = y.clone()
        shown[: self.wrong] = (y[: self.wrong] + 1) % K
        return TensorExamples(x, shown)


@pytest.fixture
def exact():
    """A model whose classifier is right: logits that fall with the distance from the corner of each class."""
    model = made(classifier=Recognising(mlp.Critic(SHAPE, [3], "ReLU", lambda w: nn.init.eye_(w)), K))
    with torch.no_grad():
        model.classifier.recogniser.weight.copy_(torch.eye(4)[:, :3])
        model.classifier.recogniser.bias.copy_(torch.tensor([0.0, 0.0, 0.0, 1.0]))
    return model


def material(model, source, own=True):
    subject = ModelSubject("m2", model, lambda: DataModule(source, Identity(), 4, 0, 0), 0)
    reference = own_reference(subject) if own else Reference("corners", "test", source=source)
    return Gathered(subject, reference, None, Asked(settings_of({}), 10, 0), None)


def test_the_accuracy_is_the_share_of_right_classes(exact):
    metric = metrics()["classification"]
    assert metric.needs == CLASSES and metric.lower_is_better == {"accuracy": False}
    found = metric.compute(material(exact, Corners()))
    assert found.scores["accuracy"].value == 1 and found.conditions["n"] == 40
    assert metric.compute(material(exact, Corners(wrong=10))).scores["accuracy"].value == pytest.approx(0.75)


def test_a_model_that_names_no_classes_is_refused(exact, variational):
    metric = metrics()["classification"]
    with pytest.raises(ValueError, match="classification needs a model that names classes"):
        metric.compute(material(variational(), Corners()))
    images = ImagesSubject("images", Corners().load("test"))
    with pytest.raises(ValueError, match="classification needs a model that"):
        metric.compute(
            Gathered(images, Reference("corners", "test", source=Corners()), None, Asked(settings_of({}), 9, 0), None)
        )
    with pytest.raises(ValueError, match="measured on the model's own data"):
        metric.compute(material(exact, Corners(), own=False))
