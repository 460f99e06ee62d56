"""ganvas: experiment-tracked research on GANs, WGANs and VAEs.

The Python API does what the commands do, by the same overrides: :func:`train`, :func:`score`, :func:`load`,
:func:`report`. Importing ``ganvas`` alone takes no time; the heavy parts come with the first call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganvas.api import load as load
    from ganvas.api import report as report
    from ganvas.api import score as score
    from ganvas.api import train as train

__version__ = "0.1.0"
__all__ = ["load", "report", "score", "train"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'ganvas' has no attribute {name!r}; it has {', '.join(__all__)}")
    from ganvas import api

    return getattr(api, name)
