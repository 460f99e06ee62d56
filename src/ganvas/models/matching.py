"""Checks that the parts of a game fit each other."""

from __future__ import annotations

from torch import nn

from ganvas.augment import Augmentation
from ganvas.models.parts import require_part
from ganvas.objectives import Adversarial, Auxiliary, Divergence
from ganvas.types import Critic, Generator, Prior, Reads, Recognises


def check_parts(
    prior: Prior,
    generator: Generator,
    critic: Critic,
    auxiliary: Auxiliary,
    objective: Adversarial,
    n_critic: int,
    generator_batch: int | None,
    augment: Augmentation,
) -> None:
    """Refuse parts that do not fit each other.

    Args:
        prior: distribution of the latents.
        generator: maps latents to examples.
        critic: maps examples to scores.
        auxiliary: terms that read more of the critic than its scores.
        objective: losses of the game.
        n_critic: critic updates for each generator update.
        generator_batch: number of new examples in the generator's turn; None takes those of the critic's turn.
        augment: augmentation of the examples.

    Raises:
        ValueError: names both parts and the fix.
    """
    require_part("generator", generator, "latent_dim", "shape")
    require_part("critic", critic, "shape")
    if isinstance(prior, nn.Module):
        raise ValueError(
            f"prior: {type(prior).__name__} is learned, and a GAN's losses do not train it; write prior=normal"
        )
    if generator.latent_dim != prior.dim:
        raise ValueError(
            f"generator takes latents of {generator.latent_dim} dimensions, the prior draws {prior.dim}; "
            "write network.generator.latent_dim=${prior.dim}"
        )
    if tuple(generator.shape) != tuple(critic.shape):
        raise ValueError(
            f"generator makes examples of shape {tuple(generator.shape)}, the critic takes {tuple(critic.shape)}; "
            "give both the shape of the data"
        )
    if n_critic < 1:
        raise ValueError(f"n_critic={n_critic} must be >= 1: critic updates for each generator update")
    if generator_batch is not None and generator_batch < 1:
        raise ValueError(f"generator_batch={generator_batch}: expected at least 1, or null for the critic's examples")
    compares = [type(part).__name__ for part in (objective, auxiliary) if part.paired]
    if generator_batch is not None and compares:
        raise ValueError(
            f"generator_batch={generator_batch}: {' and '.join(compares)} compares generated examples with the real "
            "ones of the batch; write model.generator_batch=null"
        )
    augment.check(tuple(generator.shape))
    if augment.strength() is not None and (objective.paired or not isinstance(objective, Divergence)):
        raise ValueError(
            f"augment: {type(augment).__name__} with a target follows the signs of real scores, which say nothing "
            f"under {type(objective).__name__}; write augment.target=null for a fixed p, or augment=diffaugment"
        )
    _check_auxiliary(critic, auxiliary)


def _check_auxiliary(critic: Critic, auxiliary: Auxiliary) -> None:
    """Refuse a critic that does not show what the auxiliary term reads."""
    wanted, name = auxiliary.recognised, type(auxiliary).__name__
    if wanted is not None and not isinstance(critic, Reads):
        raise ValueError(
            f"auxiliary: {name} reads the critic's features, which {type(critic).__name__} does not show; give it a "
            "method `read` (derive it from ganvas.networks.FeatureCritic), or write auxiliary=none"
        )
    outputs = critic.outputs if isinstance(critic, Recognises) else 0
    if wanted and outputs != wanted:
        raise ValueError(
            f"auxiliary: {name} reads {wanted} outputs beside the score, the critic has {outputs}; wrap it in "
            f"ganvas.networks.Recognising with outputs={wanted}, as model=acgan and model=infogan do"
        )
