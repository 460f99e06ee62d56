"""What all suites of objectives check: frozen values, and terms with a gradient; and a fixed seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest
import torch

from ganvas.objectives import (
    Terms,
)

SHAPES = [(2,), (1, 8, 8), (3, 8, 8)]
"""Shapes of examples for the tests of constraints and likelihoods: points, grey images, colour images."""


def assert_value(part: Any) -> None:
    """Assert that a part is a frozen dataclass that equals its copy."""
    assert dataclasses.is_dataclass(part) and not isinstance(part, type)
    assert dataclasses.replace(part) == part
    for field in dataclasses.fields(part):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(part, field.name, 3)


def assert_terms(terms: Terms) -> None:
    """Assert that terms are finite scalars, that the total has a gradient, and that the logged values have none."""
    assert isinstance(terms, Terms) and dataclasses.is_dataclass(terms)
    assert terms.total.shape == () and terms.total.dtype == torch.float32 and terms.total.requires_grad
    values = {field.name: getattr(terms, field.name) for field in dataclasses.fields(terms)}
    further = [value for value in values.values() if isinstance(value, Mapping)]
    single = {name for name, value in values.items() if not isinstance(value, Mapping)}
    assert terms.named().keys() == single.union(*further)
    for name, value in terms.named().items():
        assert value.shape == () and torch.isfinite(value) and not value.requires_grad, name


class Seeded:
    """Base of contracts whose tests draw from the global random state, which each test starts with a seed."""

    @pytest.fixture(autouse=True)
    def _seed(self) -> None:
        torch.manual_seed(0)
