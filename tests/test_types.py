"""Protocols say the same of a module on every Python: its submodules count as members."""

from __future__ import annotations

from inspect import getattr_static
from typing import Protocol, runtime_checkable

import pytest
from torch import nn

from ganvas.types import Featured, NamesPosterior
from ganvas.types.modules import SeesModules


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.output = nn.Linear(2, 1)
        self.posterior = nn.Identity()

    def read(self, x, y=None): ...


class Silent(Critic):
    read = None


@runtime_checkable
class OnlyStatic(Protocol):
    output: nn.Linear


@pytest.fixture
def as_in_python_3_12(monkeypatch):
    """What `isinstance` asks from Python 3.12 on."""

    def asked(cls, instance):
        members = [name for base in cls.__mro__ for name in vars(base).get("__annotations__", {})]
        members += [name for base in cls.__mro__[:-3] for name in vars(base) if not name.startswith("_")]
        return all(getattr_static(instance, name, None) is not None for name in members)

    monkeypatch.setattr(type(Protocol), "__instancecheck__", asked)


@pytest.mark.parametrize("python", ["this", "3.12"])
def test_submodules_are_members(python, request):
    if python == "3.12":
        request.getfixturevalue("as_in_python_3_12")
        assert not isinstance(Critic(), OnlyStatic)
    assert isinstance(Critic(), Featured) and isinstance(Critic(), NamesPosterior)
    assert not isinstance(Silent(), Featured) and not isinstance(nn.Linear(2, 1), Featured)
    assert not isinstance(nn.Linear(2, 1), NamesPosterior)
    assert type(Featured) is type(NamesPosterior) is SeesModules


def test_what_is_no_module_is_asked_as_by_any_protocol():
    class Plain:
        posterior = 1

    assert isinstance(Plain(), NamesPosterior) and not isinstance(object(), NamesPosterior)
