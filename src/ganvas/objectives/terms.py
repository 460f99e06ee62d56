r"""Terms, the return value of an objective: a total to minimise, and named numbers to log.

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
    """Abstract: scalars by name. Only ``total`` is differentiated; the other fields are logged.

    A field may be a mapping of further scalars, whose names stand beside those of the fields.

    Args:
        total: scalar to minimise.
    """

    total: Float[Tensor, ""]

    def named(self) -> dict[str, Tensor]:
        """Return every term under its field's name, or under its name in a mapping, detached, for logging."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        further = [value for value in values.values() if isinstance(value, Mapping)]
        single = {name: value for name, value in values.items() if not isinstance(value, Mapping)}
        return {name: value.detach() for terms in (single, *further) for name, value in terms.items()}


@final
@dataclass(frozen=True, eq=False)
class CriticTerms(Terms):
    """The critic's loss, and its mean scores of real and of generated examples.

    Args:
        total: scalar to minimise over the critic's parameters.
        real_score: mean raw score of real examples; a logit if the critic is a discriminator.
        fake_score: mean raw score of generated examples.
    """

    real_score: Float[Tensor, ""]
    fake_score: Float[Tensor, ""]


@final
@dataclass(frozen=True, eq=False)
class GeneratorTerms(Terms):
    """The generator's loss, and the critic's mean score of its examples.

    Args:
        total: scalar to minimise over the generator's parameters.
        fake_score: mean raw score of generated examples.
    """

    fake_score: Float[Tensor, ""]


def numbers(terms: Mapping[str, Tensor]) -> dict[str, float]:
    """Convert terms to Python floats, with one device synchronisation for all of them.

    Args:
        terms: tensors of one element, by name, all on the same device.
    """
    if not terms:
        return {}
    values = torch.stack([term.detach().reshape(()).double() for term in terms.values()]).tolist()
    return dict(zip(terms, values, strict=True))
