r"""Hierarchies of normal latents; seen from outside, the latents of all groups are one vector of standard noise.

Groups are counted from the top, :math:`g = 1 \dots G`. Each is drawn given those above it:

.. math::
    p(z) = \prod_{g=1}^{G} N\big(z_g;\, \mu_g(z_{<g}),\, \sigma_g^2(z_{<g})\big), \qquad
    z_g = \mu_g + \sigma_g\, \varepsilon_g, \qquad \varepsilon \sim N(0, I).

The map from the noise to the latents is triangular, so that both densities change by the same factor,

.. math::
    \log q(\varepsilon \mid x) - \log p(\varepsilon) = \log q(z \mid x) - \log p(z), \qquad
    \log q(\varepsilon \mid x) = \log q(z \mid x) + \sum_g \log \sigma_g,

and importance weights and divergences are those of the latents. In the noise, the prior is N(0, I) for every hierarchy:
whatever moves latents of a plain VAE moves noise here, and a coordinate whose posterior is its prior has mean 0 for all
images.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Normal

from ganvas.latents.kl import normal_kl
from ganvas.types import Group, widen


def normal(mean: Float[Tensor, "m *group"], std: Float[Tensor, "m *group"]) -> Normal:
    """Make the normals of a group's coordinates, in at least float32, without a check of their values.

    Args:
        mean: means.
        std: standard deviations, positive.
    """
    return Normal(widen(mean), widen(std), validate_args=False)


def standard_normal(like: Float[Tensor, "m *group"]) -> Normal:
    """Make standard normals.

    Args:
        like: a tensor of the shape, the device and the type that they have.
    """
    return normal(torch.zeros_like(like), torch.ones_like(like))


def merged(evidence: Normal, prior: Normal) -> Normal:
    r"""Multiply two normal densities, and normalise: precisions add, and means are weighted by them.

    .. math::
        \sigma^2 = \frac{1}{\hat\sigma^{-2} + \sigma_p^{-2}}, \qquad
        \mu = \sigma^2 \big(\hat\mu\, \hat\sigma^{-2} + \mu_p\, \sigma_p^{-2}\big).

    Reference: Sønderby et al. 2016, equations 11 to 18, https://arxiv.org/abs/1602.02282.

    Args:
        evidence: :math:`N(\hat\mu, \hat\sigma^2)`, what the example says of the group.
        prior: :math:`N(\mu_p, \sigma_p^2)`, what the groups above say.
    """
    below, above = evidence.scale.square().reciprocal(), prior.scale.square().reciprocal()
    variance = (below + above).reciprocal()
    return normal(variance * (evidence.loc * below + prior.loc * above), variance.sqrt())


def mean_of(posterior: Normal) -> Float[Tensor, "m *group"]:
    """Return the mean, in the place of a draw."""
    return posterior.loc


def placed(noise: Float[Tensor, "m d"], prior: Normal) -> Float[Tensor, "m *group"]:
    r"""Compute latents from their noise, :math:`\mu_g + \sigma_g \varepsilon_g`.

    Args:
        noise: :math:`\varepsilon_g`, flat.
        prior: distribution of the group.
    """
    return prior.loc + prior.scale * noise.view_as(prior.loc)


def noise_of(groups: Sequence[Group]) -> Float[Tensor, "m d"]:
    r"""Compute the noise that gives the draws, :math:`(z_g - \mu_g) / \sigma_g`, flat, the top group first.

    Args:
        groups: the groups.
    """
    return torch.cat([((g.z - g.prior.loc) / g.prior.scale).flatten(1) for g in groups], 1)


def noise_posterior(groups: Sequence[Group]) -> Normal:
    """Compute the distribution of each coordinate of the noise, given the draws that its group depends on.

    Args:
        groups: the groups.
    """
    means = [((g.posterior.loc - g.prior.loc) / g.prior.scale).flatten(1) for g in groups]
    scales = [(g.posterior.scale / g.prior.scale).flatten(1) for g in groups]
    return normal(torch.cat(means, 1), torch.cat(scales, 1))


def divergences(groups: Sequence[Group]) -> Float[Tensor, "m d"]:
    r"""Compute the KL of each coordinate, nats, in closed form, or for a group that does not follow, by its draw.

    .. math::
        \mathrm{KL}_g = E_{q(z_{<g} \mid x)}\, \mathrm{KL}\big(q(z_g \mid z_{<g}, x) \,\|\, p(z_g \mid z_{<g})\big).

    A posterior that was made from the bottom up is no conditional given the groups above. Its part of the KL is then
    the mean of :math:`\log q - \log p`, of which a draw is an unbiased estimate; it may be negative.

    Reference: Child 2021, section 2, https://arxiv.org/abs/2011.10650.

    Args:
        groups: the groups.
    """
    return torch.cat([_divergence(group) for group in groups], 1)


def _divergence(group: Group) -> Float[Tensor, "m g"]:
    if group.follows:
        posterior = noise_posterior([group])
        return normal_kl(posterior.loc, posterior.scale)
    return (group.posterior.log_prob(group.z) - group.prior.log_prob(group.z)).flatten(1)
