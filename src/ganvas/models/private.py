"""Differentially private updates of a critic: which trainings allow them, and the gradients that opacus makes."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ganvas.augment import Augmentation
from ganvas.objectives import DPSGD, Adversarial, Auxiliary, Constraint, Penalty, PrivacyError, Reparametrisation
from ganvas.objectives.constraints.dp_sgd import require_opacus
from ganvas.types import Packs


def private_part(
    critic: nn.Module,
    objective: Adversarial,
    constraint: Constraint,
    auxiliary: Auxiliary,
    augment: Augmentation,
    gradient_clip: float | None,
    accumulate: int,
) -> DPSGD | None:
    """Find the part of a constraint that asks for privacy, and check that nothing else breaks it.

    Args:
        critic: the network whose updates are to be private.
        objective: losses of the game.
        constraint: constraint on the critic.
        auxiliary: auxiliary term.
        augment: augmentation of the examples; one whose strength follows the scores tells of them.
        gradient_clip: largest norm of a whole gradient; None clips nothing.
        accumulate: number of parts in which a batch is worked through.

    Returns:
        The part, or None.

    Raises:
        ValueError: another part of the training sees gradients or scores of several examples at once.
    """
    parts = list(constraint.flat())
    found = next((part for part in parts if isinstance(part, DPSGD)), None)
    if found is None:
        return None
    others = [type(part).__name__ for part in parts if isinstance(part, (Penalty, Reparametrisation))]
    others += [f"{name} of the critic" for name, layer in critic.named_modules() if isinstance(layer, _BatchNorm)]
    coupling = [name for name, layer in critic.named_modules() if getattr(layer, "couples", False)]
    others += [f"{name} of the critic, which couples examples" for name in coupling]
    others += ["a critic that packs examples"] if isinstance(critic, Packs) and critic.pack > 1 else []
    others += [type(objective).__name__] if objective.paired else []
    others += [f"gradient_clip={gradient_clip}"] if gradient_clip is not None else []
    others += [] if auxiliary.recognised is None else [type(auxiliary).__name__]
    others += [] if augment.strength() is None else [f"{type(augment).__name__} with a target"]
    others += [f"accumulate={accumulate}"] if accumulate > 1 else []
    if others:
        raise ValueError(
            f"constraint=dp_sgd does not go together with {' and '.join(others)}, by which examples reach the critic "
            "around the clipping; write objective=non_saturating, network.critic.batch_norm=false, and no penalty"
        )
    return found


@final
class PrivateGradients:
    """Clips the gradient of each example and adds noise, by opacus.

    Args:
        critic: the network, on the device of the training.
        part: norm and noise.
        processes: number of processes of the training.
        loss_scale: scale of the loss, 1 without mixed precision of 16 bits.

    Raises:
        PrivacyError: opacus is not installed, or the training has several processes or a scaled loss.
    """

    def __init__(self, critic: nn.Module, part: DPSGD, processes: int, loss_scale: float) -> None:
        require_opacus()
        if processes > 1 or loss_scale != 1.0:
            raise PrivacyError(
                f"constraint=dp_sgd: {processes} processes and a loss scale of {loss_scale:g}, expected one process "
                "and none; write trainer.devices=1 trainer.precision=32-true"
            )
        from opacus.grad_sample import GradSampleHooks
        from opacus.optimizers import DPOptimizer

        # By functorch: for channels-last activations, such as those of dcgan, the own rule of opacus 1.6.0 for
        # convolutions gives wrong gradients without an error.
        self._hooks: Any = GradSampleHooks(critic, loss_reduction="mean", force_functorch=True)
        # It clips and adds noise; the step is that of the critic's own optimiser.
        numbers = {"noise_multiplier": part.noise, "max_grad_norm": part.clip, "expected_batch_size": 1}
        self._makes: Any = DPOptimizer(torch.optim.SGD(critic.parameters(), lr=0.0), **numbers)

    def watch(self) -> None:
        """Keep what the next scores need for a gradient of each example."""
        self._hooks.enable_hooks()

    def replace(self) -> None:
        """Replace the gradients of the last backward pass by private ones, and watch no longer."""
        parameters = self._makes.params
        self._makes.expected_batch_size = len(parameters[0].grad_sample)
        self._makes.pre_step()
        for parameter in parameters:
            parameter.grad_sample = parameter.summed_grad = None
        self._hooks.disable_hooks()
