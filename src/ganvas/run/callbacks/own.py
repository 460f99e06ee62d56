"""The user's own callbacks: Lightning's, named in the config group ``callbacks``."""

from __future__ import annotations

from omegaconf import DictConfig
from pytorch_lightning import Callback

from ganvas.config import ConfigError, build


def own_callbacks(cfg: DictConfig) -> list[Callback]:
    """Build the callbacks of the user, in the order of the config.

    Args:
        cfg: config of a training. Each value below ``callbacks`` is a node with a ``_target_``.

    Raises:
        ConfigError: a node does not make a callback, or gives it an argument that it does not take.
    """
    nodes = cfg.get("callbacks") or {}  # configs of before there was the group have no such key
    if not isinstance(nodes, (dict, DictConfig)) or "_target_" in nodes:
        raise ConfigError(
            f"callbacks={nodes}: expected a name for each callback; write +callbacks.NAME._target_=my_module.MyCallback"
        )
    made = {str(name): build(node) if isinstance(node, DictConfig) else node for name, node in nodes.items()}
    for name, callback in made.items():
        if not isinstance(callback, Callback):
            raise ConfigError(
                f"callbacks.{name}: expected a callback of Lightning, got {callback!r}; "
                f"write callbacks.{name}._target_=my_module.MyCallback"
            )
    return list(made.values())
