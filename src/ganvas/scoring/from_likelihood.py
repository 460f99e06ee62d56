"""What a VAE is judged by: its bounds on the evidence of held-out images, and which latents it uses."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from ganvas.config import ConfigError
from ganvas.health.checks import posterior_collapse
from ganvas.latents.activity import latent_activity
from ganvas.metrics.mean_error import mean_error
from ganvas.metrics.nll import evidence_bounds
from ganvas.models import VAE
from ganvas.scoring.evaluation import LIKELIHOOD_SEED, likelihood_scores
from ganvas.scoring.found import Found
from ganvas.scoring.scores import Score
from ganvas.scoring.subjects import ModelSubject
from ganvas.scoring.task import Task
from ganvas.types import Batch


def elbo(task: Task) -> Found:
    """ELBO, reconstruction and KL on held-out images, as at the end of training."""
    subject, model = _vae(task, "elbo")
    found = likelihood_scores(model, subject.data, task.reference.split)
    conditions = _conditions(task, None, seed=LIKELIHOOD_SEED, samples=model.objective.samples)
    return Found(scores=found, conditions=dict.fromkeys(found, conditions))


def nll(task: Task) -> Found:
    r"""Negative log-likelihood bounded by importance sampling, :math:`-L_k`; each image's bounds go to ``nll.npz``."""
    _, model = _vae(task, "nll")
    s = task.cfg.likelihood
    with torch.random.fork_rng():
        torch.manual_seed(task.cfg.seed)
        bounds = evidence_bounds(model.log_weights, _held_out(task, "nll"), s.k, s.chunk)
    mean = mean_error(-bounds.importance)
    path = task.output / "nll.npz"
    np.savez(path, elbo=bounds.elbo.numpy(), importance=bounds.importance.numpy(), k=np.array(bounds.k))
    over = f"{mean.n} {task.reference.split} images, k={bounds.k}"
    key = "score/likelihood/nll"
    return Found(
        scores={key: Score(mean.mean, mean.standard_error, over)},
        conditions={key: _conditions(task, s.n, k=s.k)},
        files=(path,),
    )


def active_units(task: Task) -> Found:
    """Latents whose posterior mean moves with the image; the KL of each goes to ``active_units.npz``."""
    _, model = _vae(task, "active_units")
    activity = latent_activity(model.posterior_moments(_held_out(task, "active_units")))
    path = task.output / "active_units.npz"
    np.savez(path, variance=activity.variance.numpy(), kl=activity.kl.numpy())
    key = "score/likelihood/active_units"
    return Found(
        scores={key: Score(float(activity.active_units), None, "")},
        conditions={key: _conditions(task, task.cfg.likelihood.n)},
        findings=(posterior_collapse(activity),),
        files=(path,),
    )


def _vae(task: Task, metric: str) -> tuple[ModelSubject, VAE]:
    subject = task.subject
    if not isinstance(subject, ModelSubject) or not isinstance(subject.model, VAE):
        raise ConfigError(f"metrics: {metric} needs a VAE, {subject.name} is none; leave {metric} out")
    if task.cfg.reference is not None:
        raise ConfigError(
            f"metrics: {metric} is measured on the model's own data; leave reference={task.cfg.reference} out"
        )
    return subject, subject.model


def _held_out(task: Task, metric: str) -> Iterator[Batch]:
    subject, model = _vae(task, metric)
    s = task.cfg.likelihood
    for batch in subject.data.held_out(task.reference.split, s.n, s.batch_size):
        yield batch.to(model.device)


def _conditions(task: Task, n: int | None, **more: object) -> dict[str, object]:
    subject, _ = _vae(task, "elbo")
    images = len(task.reference.examples(task.reference.split, "a bound")) if n is None else n
    transform = type(subject.data.transform).__name__
    return task.conditions(n=images, transform=transform, **more)
