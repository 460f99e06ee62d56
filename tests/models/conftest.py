"""A trainer without tracking, and small parts to build models from."""

from __future__ import annotations

from functools import partial

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, IterableDataset

from ganvas.latents import Normal, Permuted, PriorDraws
from ganvas.models import GAN, VAE, WGAN, FeatureAdversary, JoinedLatentAdversary, PhasedLatentAdversary
from ganvas.models.schedules import Constant
from ganvas.networks import init, mlp
from ganvas.objectives import (
    ELBO,
    Bernoulli,
    DensityRatio,
    GradientPenalty,
    NonSaturating,
    Reconstruction,
    Unconstrained,
    Wasserstein,
)
from ganvas.types import Batch

SHAPE = (1, 8, 8)
LATENT = 4


class Stream(IterableDataset):
    """``batches`` batches of 16 examples in [-1, 1]; batch i is a function of i alone."""

    def __init__(self, batches: int, start: int = 0) -> None:
        self.range = range(start, start + batches)

    def __iter__(self):
        for i in self.range:
            x = torch.rand(16, *SHAPE, generator=torch.Generator().manual_seed(i)) * 2 - 1
            yield Batch(x, None, torch.arange(16))


def fit_(model, batches: int, start: int = 0, ckpt_path=None, batches_of=None, **trainer):
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    trainer = pl.Trainer(max_epochs=1, accelerator="cpu", **quiet, **trainer)
    trainer.fit(
        model,
        DataLoader([batches_of()] * batches, batch_size=None)
        if batches_of
        else DataLoader(Stream(batches, start), batch_size=None, generator=torch.Generator()),
        ckpt_path=ckpt_path,
        weights_only=True,
    )
    return trainer


@pytest.fixture
def fit():
    return fit_


@pytest.fixture
def stream():
    return Stream


@pytest.fixture
def networks():
    def make(shape=SHAPE, latent=LATENT):
        common = {"shape": shape, "hidden": [16], "activation": "ReLU", "init": partial(init.glorot_uniform_, gain=1.0)}
        return {
            "generator": mlp.Generator(latent_dim=latent, batch_norm=False, **common),
            "critic": mlp.Critic(**common),
            "encoder": mlp.Encoder(latent_dim=latent, **common),
            "decoder": mlp.Decoder(latent_dim=latent, **common),
        }

    return make


@pytest.fixture
def adversarial(networks):
    """A function from what differs to a GAN or a WGAN."""

    def make(kind=GAN, seed=0, **changes):
        torch.manual_seed(seed)
        parts = networks()
        penalty = GradientPenalty(weight=10.0, every=1, target=1.0, one_sided=False)
        adam = partial(torch.optim.Adam, lr=1e-3, betas=(0.5, 0.999))
        arguments = {
            "prior": Normal(LATENT),
            "generator": parts["generator"],
            "critic": parts["critic"],
            "objective": Wasserstein() if kind is WGAN else NonSaturating(),
            "constraint": penalty if kind is WGAN else Unconstrained(),
            "n_critic": 1,
            "simultaneous": False,
            "optimizer": adam,
            "generator_optimizer": {},
            "critic_optimizer": {},
            "ema_halflife": None,
            "gradient_clip": None,
            "schedule": Constant(),
            "schedules": {},
        }
        return kind(**{**arguments, **changes})

    return make


@pytest.fixture
def variational(networks):
    """A function from what differs to a VAE."""

    def make(seed=0, **changes):
        torch.manual_seed(seed)
        parts = networks()
        arguments = {
            "prior": Normal(LATENT),
            "encoder": parts["encoder"],
            "decoder": parts["decoder"],
            "likelihood": Bernoulli(),
            "objective": ELBO(samples=1, beta=1.0, free_bits=0.0),
            "optimizer": partial(torch.optim.Adam, lr=1e-3),
            "ema_halflife": None,
            "gradient_clip": None,
            "schedule": Constant(),
            "schedules": {},
        }
        return VAE(**{**arguments, **changes})

    return make


@pytest.fixture
def with_adversary(variational, networks):
    """A function from a kind of adversary, what differs in it, and what differs in the model to a VAE with it."""

    def make(kind, adversary=None, seed=0, **changes):
        torch.manual_seed(seed + 100)
        of_latents, game = {"critic": networks(shape=(LATENT,))["critic"]}, {"constraint": Unconstrained()}
        autoencoder = {"objective": Reconstruction(samples=1, random_encoder=kind != "wae_gan")}
        makers = {
            "factor_vae": (
                JoinedLatentAdversary,
                {**of_latents, "objective": DensityRatio(), "comparison": Permuted(), "weight": 3.0},
                {},
            ),
            "wae_gan": (
                JoinedLatentAdversary,
                {**of_latents, "objective": NonSaturating(), "comparison": PriorDraws(), "weight": 3.0},
                autoencoder,
            ),
            "aae": (
                PhasedLatentAdversary,
                {**of_latents, "objective": NonSaturating(), "comparison": PriorDraws()},
                autoencoder,
            ),
            "vae_gan": (
                FeatureAdversary,
                {"critic": networks()["critic"], "objective": NonSaturating(), "weight": 3.0},
                {},
            ),
        }
        maker, parts, model = makers[kind]
        third = maker(**{**game, **parts, **(adversary or {})})
        return variational(**{"seed": seed, "adversary": third, **model, **changes})

    return make
