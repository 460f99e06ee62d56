"""Frozen parts do not change, the others train as before, and every wrong name is told."""

from functools import partial

import pytest
import torch
from omegaconf import OmegaConf

from ganvas.cli import main
from ganvas.config import ConfigError
from ganvas.latents import Normal
from ganvas.models import GAN, VAE
from ganvas.models.schedules import Constant
from ganvas.networks import mlp
from ganvas.networks.init import glorot_uniform_
from ganvas.objectives import ELBO, Bernoulli, NonSaturating, Unconstrained, WeightClipping
from ganvas.run.freezing import freeze
from ganvas.storage.checkpoints import read

from ..tiny import TINY, project

FAST = [*TINY, "extractor=none", "score.every=null", "score.select=null", "model=wgan"]
FROZEN = "critic.body.0"


@pytest.fixture
def models():
    common = {"hidden": [4], "activation": "ReLU", "init": partial(glorot_uniform_, gain=1.0)}
    shared = {"prior": Normal(3), "optimizer": partial(torch.optim.Adam, lr=1e-3), "ema_halflife": 10}
    shared |= {"gradient_clip": None, "schedule": Constant(), "schedules": {}}
    networks = {
        "generator": mlp.Generator((1, 4, 4), 3, batch_norm=True, **common),
        "critic": mlp.Critic((1, 4, 4), **common),
    }
    game = {"objective": NonSaturating(), "constraint": Unconstrained(), "n_critic": 1, "simultaneous": False}
    gan = GAN(**networks, **game, **shared, generator_optimizer={}, critic_optimizer={})
    coders = {"encoder": mlp.Encoder((1, 4, 4), 3, **common), "decoder": mlp.Decoder((1, 4, 4), 3, **common)}
    return gan, VAE(**coders, likelihood=Bernoulli(), objective=ELBO(1, 1.0, 0.0), **shared)


def names(*parts):
    return OmegaConf.create({"freeze": list(parts)})


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        (["critc"], r"freeze=critc: the model has no part critc; there are generator, critic; did you mean critic\?"),
        (["critic.bodi.0"], r"freeze=critic.bodi.0: .* no part critic.bodi; there are critic.body.*mean critic.body\?"),
        (["critic.body.9"], r"no part critic.body.9; there are critic.body.0, critic.body.1"),
        (["critic.body.0.x"], r"no part critic.body.0.x; critic.body.0 has no parts"),
        (["critic.body.1"], "freeze=critic.body.1: it has no weights"),
        (["generator"], r"freeze=\[generator\] leaves the generator nothing to train; freeze some of its layers"),
        (["averages"], "the model has no part averages"),
    ],
)
def test_wrong_names_are_refused_with_those_there_are(models, parts, words):
    with pytest.raises(ConfigError, match=words):
        freeze(names(*parts), models[0])


def test_an_encoder_may_be_frozen_and_a_whole_vae_may_not(models):
    vae = models[1]
    freeze(names("encoder"), vae)
    (optimizer,) = vae.configure_optimizers()
    assert [len(group["params"]) for group in optimizer.param_groups] == [len(list(vae.decoder.parameters()))]
    with pytest.raises(ConfigError, match=r"freeze=\[decoder\] leaves the vae nothing to train"):
        freeze(names("decoder"), vae)


def test_clipping_leaves_frozen_weights(models):
    critic = models[0].critic
    freeze(names(FROZEN), models[0])
    before = critic.body[0].weight.clone()
    assert before.abs().max() > 1e-3
    WeightClipping(1e-3).project(critic)
    assert torch.equal(critic.body[0].weight, before)
    assert all(p.abs().max() <= 1e-3 for p in critic.parameters() if p.requires_grad)


@pytest.fixture(scope="module")
def runs(tmp_path_factory, template):
    """A run, one from its weights with a frozen part, and the same with a stop in the middle."""
    folder = tmp_path_factory.mktemp("runs")
    with project(folder, template):
        from_first = ["init_from=first", f"freeze=[{FROZEN},generator.body.0]", "seed=2"]
        for line in (
            [*FAST, "budget.images=320", "paths.output=first"],
            [*FAST, *from_first, "paths.output=whole"],
            [*FAST, *from_first, "budget.images=320", "paths.output=half"],
            ["resume=half", "budget.images=640", "paths.output=rest"],
        ):
            assert main(["train", *line]) == 0
    return {name: read(folder / name / "last.ckpt")["state_dict"] for name in ("first", "whole", "rest")}


@pytest.mark.slow
def test_frozen_weights_stay_those_of_the_earlier_run_and_the_others_train(runs):
    first, whole = runs["first"], runs["whole"]
    frozen = [f"{part}.{kind}" for part in (FROZEN, "generator.body.0") for kind in ("weight", "bias")]
    assert all(torch.equal(first[key], whole[key]) for key in frozen)
    assert torch.equal(whole["averages.generator.module.body.0.weight"], first["generator.body.0.weight"])
    # Weights only: the last bias of a Wasserstein critic has no gradient.
    trained = [key for key in whole if key.startswith(("generator", "critic")) and key.endswith("weight")]
    trained = [key for key in trained if key not in frozen]
    assert len(trained) == 4 and not any(torch.equal(first[key], whole[key]) for key in trained)


@pytest.mark.slow
def test_a_resumed_training_stays_frozen_bit_for_bit(runs):
    assert runs["whole"].keys() == runs["rest"].keys()
    assert all(torch.equal(runs["rest"][key], value) for key, value in runs["whole"].items())
