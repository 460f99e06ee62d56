r"""Variational autoencoders with several groups of latents, each drawn given the groups above it.

.. math::
    \log p(x) \ge E_{q(z \mid x)}[\log p(x \mid z)]
        - \sum_{g=1}^{G} E_{q(z_{<g} \mid x)}\, KL\big(q(z_g \mid z_{<g}, x) \,\|\, p(z_g \mid z_{<g})\big)

Reference: Sønderby et al. 2016, https://arxiv.org/abs/1602.02282; Child 2021, section 2, https://arxiv.org/abs/2011.10650.

One network has both directions (:class:`ganvas.types.Hierarchy`), because posterior and prior share layers. The latents
of this model are its standard normal noise, see :mod:`ganvas.latents.hierarchy`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, final

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.distributions import Independent

from ganvas.latents.hierarchy import divergences, mean_of, noise_of, noise_posterior, normal
from ganvas.latents.priors import Normal
from ganvas.models.adversaries.alone import Alone
from ganvas.models.base import OptimizerFactory
from ganvas.models.modes import evaluating
from ganvas.models.parts import require_part
from ganvas.models.schedules import Schedule
from ganvas.models.variational import Variational
from ganvas.objectives import Adversarial as AdversarialObjective
from ganvas.objectives import Draws, FromDraws, Likelihood, ReconstructionLoss, fidelity
from ganvas.types import Batch, Hierarchy, Inferred, Shape


@final
class HierarchicalVAE(Variational):
    """A variational autoencoder with several groups of latents.

    Args:
        hierarchy: network of both directions.
        likelihood: Bernoulli, Gaussian, discretised logistic or a mixture of them; or a loss in its place.
        objective: the bound to maximise, with its number of latent samples.
        optimizer: makes the optimiser from the parameters of the network and, if learned, the scale.
        ema_halflife: half-life of the averaged weights, images; None keeps no average.
        gradient_clip: largest L2 norm of the gradient; None clips nothing.
        gradient_skip: L2 norm of the gradient above which an update is left out, positive; None leaves none out.
        schedule: schedule of the learning rate.
        schedules: schedules of other numbers, by name, see :mod:`ganvas.models.scheduled`.
        accumulate: number of parts in which a batch is worked through; their gradients are added.

    Raises:
        ValueError: the objective needs latents that are one group, or a number is out of range.
    """

    decoding: ClassVar[str] = "hierarchy"
    inferring: ClassVar[str] = "hierarchy"
    hierarchy: Any  # an nn.Module and a Hierarchy; Python has no type for the intersection of both

    def __init__(
        self,
        hierarchy: Hierarchy,
        likelihood: Likelihood | ReconstructionLoss,
        objective: FromDraws | AdversarialObjective,
        optimizer: OptimizerFactory,
        ema_halflife: int | None,
        gradient_clip: float | None,
        gradient_skip: float | None,
        schedule: Schedule,
        schedules: Mapping[str, Any],
        accumulate: int,
    ) -> None:
        require_part("hierarchy", hierarchy, "groups", "shape")
        _check(objective, gradient_skip)
        parts: dict[str, Any] = {"hierarchy": hierarchy}
        prior: Any = Normal(sum(hierarchy.groups))  # a frozen value, whose fields a protocol cannot ask for
        super().__init__(
            prior,
            parts,
            likelihood,
            objective,
            hierarchy.shape,
            optimizer,
            ema_halflife,
            gradient_clip,
            gradient_skip,
            schedule,
            schedules,
            accumulate,
            Alone(),
            {},
        )

    @property
    def shape(self) -> Shape:
        """Shape of one example."""
        return self.hierarchy.shape

    @property
    def groups(self) -> tuple[int, ...]:
        """Number of latents of each group, the top group first."""
        return self.hierarchy.groups

    def decode(self, z: Float[Tensor, "n d"], y: Int64[Tensor, " n"] | None) -> Float[Tensor, " n *shape"]:
        r"""Compute the mean of :math:`p(x \mid z)`, in [-1, 1], from the noise of all groups."""
        return self.likelihood.mean(self.call(self.part("hierarchy"), z, y))

    def reconstruct(self, batch: Batch) -> Float[Tensor, " n *shape"]:
        """Reconstruct examples from the means of the groups' posteriors, in [-1, 1]."""
        return self.likelihood.mean(self._by_means(batch).location)

    def moments(self, batch: Batch) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]:
        """Compute mean and standard deviation of the noise, where the groups above have their means."""
        posterior = noise_posterior(self._by_means(batch).groups)
        return posterior.loc, posterior.scale

    def draws(self, batch: Batch, network: Callable[[str], Any], k: int) -> Draws:
        """Draw k latents for each example, by the networks of these names, and compute what objectives read."""
        hierarchy = network("hierarchy")
        inferred: Inferred = hierarchy.infer(batch.x, k, lambda posterior: posterior.rsample())
        rows = (k, len(batch))
        location = inferred.location.unflatten(0, rows)
        z, given = noise_of(inferred.groups).unflatten(0, rows), noise_posterior(inferred.groups)
        posterior = Independent(
            normal(given.loc.unflatten(0, rows), given.scale.unflatten(0, rows)), 1, validate_args=False
        )
        return Draws(
            fidelity(self.likelihood, batch.x, location, self.log_scale),
            self.prior.log_prob(z),
            posterior.log_prob(z),
            divergences(inferred.groups).unflatten(0, rows).mean(0),
            z,
            posterior,
            self.n_train,
            location,
            hierarchy,
            self.prior.sample(k * len(batch), device=z.device) if self.objective.compares_with_prior else None,
            self.groups,
        )

    def _by_means(self, batch: Batch) -> Inferred:
        with torch.no_grad(), evaluating(self):
            hierarchy: Any = self.part("hierarchy")
            return hierarchy.infer(batch.x, 1, mean_of)


def _check(objective: FromDraws | AdversarialObjective, gradient_skip: float | None) -> None:
    if isinstance(objective, FromDraws) and (objective.reads_posterior or not objective.bounds_evidence):
        raise ValueError(
            f"objective: {type(objective).__name__} asks for latents that are one group, expected a bound of the draws "
            "of several; write objective=elbo, iwae, ciwae, miwae, capacity or info_vae"
        )
    if gradient_skip is not None and not gradient_skip > 0:
        raise ValueError(f"gradient_skip={gradient_skip}: expected a norm above 0; write null to leave no update out")
