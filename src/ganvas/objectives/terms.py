r"""What an objective returns: a total to descend, and the named numbers it is made of.

.. math:: \text{total} = L(\theta), \qquad \text{named} = \{\text{name} \mapsto \text{value without gradient}\}.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Terms(ABC):
    """Abstract: every field is a scalar with a name; only ``total`` is meant to be differentiated.

    Args:
        total: scalar to minimise.
    """

    total: Float[Tensor, ""]

    def named(self) -> dict[str, Tensor]:
        """Return every term under its field's name, detached, for logging."""
        return {field.name: getattr(self, field.name).detach() for field in fields(self)}


@final
@dataclass(frozen=True, eq=False)
class CriticTerms(Terms):
    """The critic's loss with the mean scores it gave.

    Args:
        total: scalar to minimise over the critic's parameters.
        real_score: mean raw score (a logit where the critic is a discriminator) of real examples.
        fake_score: mean raw score of generated examples.
    """

    real_score: Float[Tensor, ""]
    fake_score: Float[Tensor, ""]


@final
@dataclass(frozen=True, eq=False)
class GeneratorTerms(Terms):
    """The generator's loss with the mean score its examples got.

    Args:
        total: scalar to minimise over the generator's parameters.
        fake_score: mean raw score of generated examples.
    """

    fake_score: Float[Tensor, ""]


def numbers(terms: Mapping[str, Tensor]) -> dict[str, float]:
    """Read terms from their device, with one synchronisation for all of them.

    Args:
        terms: by name, each of one element, all on one device.
    """
    if not terms:
        return {}
    values = torch.stack([term.detach().reshape(()).double() for term in terms.values()]).tolist()
    return dict(zip(terms, values, strict=True))
