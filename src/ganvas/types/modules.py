"""Protocols whose members may be submodules, parameters or buffers of a module.

``isinstance(x, P)`` asks whether ``x`` has the members of the protocol P. From Python 3.12 on it asks the class and the
dictionary of ``x``, and a module keeps its submodules elsewhere: a critic with a last layer ``output`` would have
none. A protocol with such a member has the metaclass :class:`SeesModules`, by which the answer is that of ``hasattr``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from torch import nn

if TYPE_CHECKING:
    from abc import ABCMeta as _Meta
else:
    _Meta = type(Protocol)


class SeesModules(_Meta):
    """Metaclass of a protocol; the protocol is runtime-checkable."""

    def __instancecheck__(cls, instance: Any) -> bool:
        if not isinstance(instance, nn.Module):
            return bool(super().__instancecheck__(instance))
        return all(getattr(instance, member, None) is not None for member in _members(cls))


def _members(protocol: type) -> set[str]:
    bases = [base for base in protocol.__mro__ if getattr(base, "_is_protocol", False) and base is not Protocol]
    named = {name for base in bases for name in (*vars(base), *vars(base).get("__annotations__", {}))}
    return {name for name in named if not name.startswith("_")}
