r"""The latent of an observation: what a generative model makes of an image of which only a part was seen.

For an observation :math:`y = A x + \sigma \epsilon` with a known linear :math:`A`, the latent of highest posterior
density is

.. math:: \hat z = \arg\min_z \; \frac{\|A\, G(z) - y\|^2}{2 \sigma^2} - \log p(z),

found by Adam from several starts; for each image the start that ends lowest counts. :math:`G(\hat z)` restores the
image.

Reference: Bora et al. 2017, section 3, https://arxiv.org/abs/1703.03208 (its prior has a free weight).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from ganvas.latents.spaces import nearest
from ganvas.types import Prior


def most_probable(
    decode: Callable[[Tensor], Tensor],
    apply: Callable[[Tensor], Tensor],
    observed: Float[Tensor, "n ..."],
    sd: float,
    prior: Prior,
    starts: Float[Tensor, "r n d"],
    *,
    steps: int,
    lr: float,
) -> Float[Tensor, "n d"]:
    r"""Find the latents of highest posterior density.

    Args:
        decode: :math:`G` for ``r n`` latents, those of a start after each other; differentiable.
        apply: :math:`A`, differentiable.
        observed: :math:`y` of each image.
        sd: :math:`\sigma`, in units of an image in [-1, 1], positive.
        prior: distribution of the latents.
        starts: latents to start from, r for each image.
        steps: steps of Adam, at least 1.
        lr: step size of Adam in units of the latents, which falls to 0 as a cosine.
    """
    runs, n = starts.shape[:2]
    z = starts.flatten(0, 1).clone().requires_grad_(True)
    target = observed.repeat(runs, *[1] * (observed.ndim - 1))

    def cost() -> Float[Tensor, " rn"]:
        at = nearest(prior, z)  # on a sphere, the gradient is then along it
        residual = (apply(decode(at)) - target).flatten(1)
        return residual.square().sum(1) / (2 * sd**2) - prior.log_prob(at)

    adam = torch.optim.Adam([z], lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    with torch.enable_grad():
        for _ in range(steps):
            adam.zero_grad()
            cost().sum().backward()
            adam.step()
            schedule.step()
            z.data.copy_(nearest(prior, z.data))  # the density ends there, and its gradient does not say so
        best = cost().detach().view(runs, n).argmin(0)
    return z.detach().view(runs, n, -1)[best, torch.arange(n, device=best.device)]
