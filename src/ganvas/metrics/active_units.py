r"""Active units: the number of latents that a VAE uses, that is, whose posterior mean varies with the image.

.. math:: \#\{u : \operatorname{Var}_x \big( \mathbb{E}_{q(u \mid x)}[u] \big) > 0.01 \operatorname{Var}_p(u)\}

Reference: Burda et al. 2016, section 5.3, https://arxiv.org/abs/1509.00519; see :mod:`ganvas.latents.activity`.
"""

from __future__ import annotations

import numpy as np

from ganvas.latents.activity import latent_activity
from ganvas.metrics.base import MODEL, Material, Measured, Metric, Score, Setting
from ganvas.types import Grouped

BATCH_SIZE = Setting("likelihood.batch_size", 20, "images in one batch", least=1, decides=False)
COUNT = Setting("likelihood.n", None, "number of held-out images; null takes all", least=1, decides=False)


def _active_units(material: Material) -> Measured:
    """Count the active units; variance and, if known, KL of each latent are written to ``active_units.npz``.

    Of a hierarchy, the number of active units of each group is written there too.
    """
    model, n = material.bound_model("active_units"), material.settings["likelihood.n"]
    images = material.held_out(n, material.settings["likelihood.batch_size"])
    groups = model.groups if isinstance(model, Grouped) else None
    activity = latent_activity(model.posterior_moments(images), model.prior, groups)
    by_group = {} if groups is None else {"by_group": np.array(activity.active_by_group)}
    divergence = {} if activity.kl is None else {"kl": activity.kl.numpy()}
    return Measured(
        {"active_units": Score(float(activity.active_units), None, "")},
        conditions={"n": activity.n, "transform": dict(material.transform())},
        evidence=(activity,),
        arrays={"active_units": {"variance": activity.variance.numpy(), **divergence, **by_group}},
    )


METRIC = Metric(
    "active_units",
    MODEL,
    {"active_units": None},
    (BATCH_SIZE, COUNT),
    2,
    _active_units,
    "number of latents whose posterior mean varies with the image",
    "likelihood",
)
