r"""Dai & Wipf 2019, Table 2, and Ghosh et al. 2020, Table 1: latents from a fit to codes, not from the prior.

Each model is trained once, and scored with N(0, I) and with samplers that are fitted to codes of its training images.
Differences are paired by seed.

References: https://arxiv.org/abs/1903.05789, section 4; https://arxiv.org/abs/1903.12436, section 4;
https://github.com/daib13/TwoStageVAE
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from hydra import compose
from torch import Tensor
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from ganvas.config import build_as
from ganvas.latents import LatentSampler
from ganvas.latents.samplers.mixture import MixtureSampler
from ganvas.latents.samplers.two_stage import SecondStage
from ganvas.papers.judgement import Measured
from ganvas.papers.program import Desk
from ganvas.papers.training import Trained, run_preset

CPU = ["budget.images=400_000"]
FULL = ["network=infogan", "prior.dim=64", "extractor=inception"]
RAE = ["objective=rae_l2", "likelihood=gaussian"]
SHOWN, SHOWN_SEED = 100, 0
CODES, FRESH = 4_000, 4_000
DIM = 3


def measure(scale: str, desk: Desk) -> dict[str, Measured]:
    """Run the program; see :data:`ganvas.papers.program.Program`."""
    return {"smoke": _smoke, "cpu": _cpu, "full": _full}[scale](desk)


def shipped(name: str, *changes: str) -> LatentSampler:
    """Build a sampler of ``conf/sampler``.

    Args:
        name: name of its config.
        changes: overrides of its numbers.
    """
    return build_as(LatentSampler, compose("train", [f"sampler={name}", *changes]).sampler)


def _smoke(desk: Desk) -> dict[str, Measured]:
    short = ["data=mnist5k", "budget.images=10_000", "score.n=1000"]
    trained = run_preset(desk, "second_stage", "VAE", desk.seed, short)
    few = {"two_stage": ["sampler.steps=200"], "maf": ["sampler.steps=50"]}
    for name in ("normal", "gmm", "two_stage", "maf"):
        sampler = shipped(name, "sampler.images=1_000", *few.get(name, ()))
        desk.report[f"fd/{name}_10k_images"] = trained.with_sampler(sampler, "fd", 1_000)
    excess = {"second_stage_excess": second_stage_excess(desk.seed), "mixture_excess": mixture_excess(desk.seed)}
    return {name: Measured([value]) for name, value in excess.items()}


def _cpu(desk: Desk) -> dict[str, Measured]:
    samplers = ("two_stage", "gmm", "normal", "maf")
    vae = _distances(desk, "VAE", CPU, samplers)
    rae = _distances(desk, "RAE-L2", [*RAE, *CPU], samplers)
    return {
        "two_stage_minus_prior_cpu": _difference(vae["two_stage"], vae["prior"]),
        "gmm_minus_prior_cpu": _difference(vae["gmm"], vae["prior"]),
        "gmm_minus_two_stage_cpu": _difference(vae["gmm"], vae["two_stage"]),
        "rae_gmm_minus_normal_cpu": _difference(rae["gmm"], rae["normal"]),
        "rae_gmm_minus_vae_prior_cpu": _difference(rae["gmm"], vae["prior"]),
    }


def _full(desk: Desk) -> dict[str, Measured]:
    vae = _distances(desk, "VAE", FULL, ("two_stage",))
    return {
        "fid_prior_full": Measured(vae["prior"]),
        "fid_two_stage_full": Measured(vae["two_stage"]),
        "two_stage_minus_prior_full": _difference(vae["two_stage"], vae["prior"]),
    }


def _distances(desk: Desk, label: str, line: Sequence[str], samplers: Sequence[str]) -> dict[str, list[float]]:
    """Train one model with three seeds, and measure the Fréchet distance of its samples with every sampler."""
    found: dict[str, list[float]] = {name: [] for name in ("prior", *samplers)}
    for seed in desk.seeds(3):
        trained = run_preset(desk, "second_stage", label, seed, list(line))
        metric = "fid" if "extractor=inception" in line else "fd"
        for name, values in found.items():
            sampler = None if name == "prior" else shipped(name)
            values.append(trained.with_sampler(sampler, metric, 10_000))
            if seed == desk.seed:
                desk.samples(f"{label}_{name}", _samples(trained, sampler))
    desk.report.update({f"fd/{label}/{name}": math.fsum(values) / len(values) for name, values in found.items()})
    return found


def _samples(trained: Trained, sampler: LatentSampler | None) -> Tensor:
    return trained.refitted(sampler).sample(SHOWN, SHOWN_SEED)


def _difference(one: Sequence[float], other: Sequence[float]) -> Measured:
    return Measured([a - b for a, b in zip(one, other, strict=True)])


def second_stage_excess(seed: int) -> float:
    """Compute minus the bound of a second stage on fresh normal codes, minus their entropy, nats.

    Args:
        seed: seed of the covariance and of the codes.
    """
    codes, fresh, law = _normal_codes(seed)
    fitted = shipped("two_stage", "sampler.hidden=[32]", "sampler.steps=1_500", "sampler.lr=0.01").fit(codes)
    assert isinstance(fitted, SecondStage)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        return float(fitted.loss(fresh) - law.entropy())


def _normal_codes(seed: int) -> tuple[Tensor, Tensor, MultivariateNormal]:
    generator = torch.Generator().manual_seed(seed)
    factor = torch.randn(DIM, DIM, generator=generator).tril(-1) + torch.eye(DIM)
    mean = torch.randn(DIM, generator=generator)
    noise = torch.randn(CODES + FRESH, DIM, generator=generator)
    codes = mean + noise @ factor.T
    return codes[:CODES], codes[CODES:], MultivariateNormal(mean, scale_tril=factor)


def mixture_excess(seed: int) -> float:
    """Compute how many nats a fitted mixture gives fresh codes less than the mixture that they were drawn from.

    Args:
        seed: seed of the means and of the codes.
    """
    generator = torch.Generator().manual_seed(seed)
    means = 4 * torch.randn(DIM, 2, generator=generator)
    law = MixtureSameFamily(Categorical(torch.ones(DIM)), MultivariateNormal(means, torch.eye(2).expand(DIM, 2, 2)))
    component = torch.randint(DIM, (CODES + FRESH,), generator=generator)
    codes = means[component] + torch.randn(CODES + FRESH, 2, generator=generator)
    fitted = MixtureSampler(images=CODES, seed=seed, components=DIM, iterations=200, floor=1e-6).fit(codes[:CODES])
    return float((law.log_prob(codes[CODES:]) - fitted.log_prob(codes[CODES:])).mean())
