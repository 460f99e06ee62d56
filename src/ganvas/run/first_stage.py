"""The first stage of a model: parts that another run has trained, and that must be what they were there.

Shapes that differ are found when weights are loaded. What weights do not show, such as a likelihood, is compared here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from omegaconf import DictConfig, OmegaConf

from ganvas.config import ConfigError, names_beyond_ganvas, recorded_config
from ganvas.models import Model
from ganvas.nested import leaves
from ganvas.types import HasFirstStage

_BESIDE: Final = "likelihood"
"""What makes examples of the output of the last part."""
_ELSEWHERE: Final = ("init", _BESIDE)
"""Values of a network that first weights are drawn by, and those that are compared by themselves."""


def require_run(model: Model) -> None:
    """Refuse a model whose first stage no run has trained.

    Args:
        model: the model to train.

    Raises:
        ConfigError: the model has a first stage.
    """
    if isinstance(model, HasFirstStage):
        raise ConfigError(
            f"init_from=null: {' and '.join(model.first_stage)} of {type(model).__name__} must come from a run that "
            "trained them; write init_from=RUN, the id or the folder of a training of model=vq_vae"
        )


def check_first_stage(cfg: DictConfig, model: Model, recorded: object) -> None:
    """Refuse a first stage that differs from that of the run that ``init_from`` names.

    Args:
        cfg: the composed config.
        model: the model to train.
        recorded: text of the config of that run.

    Raises:
        ConfigError: a part is not taken from the run, or has other values than there.
    """
    if not isinstance(model, HasFirstStage):
        return
    left_out = [part for part in model.first_stage if cfg.init_parts is not None and part not in cfg.init_parts]
    if left_out:
        raise ConfigError(
            f"init_parts={list(cfg.init_parts)} leaves out {' and '.join(left_out)}, which {type(model).__name__} does "
            f"not train; write init_parts=[{','.join(model.first_stage)}]"
        )
    trusted = [*cfg.trust, *names_beyond_ganvas(cfg)]  # what the command line names is the user's own
    theirs = recorded_config(recorded, cfg.init_from, trusted).get("model", {})
    differing = [line for part in (*model.first_stage, _BESIDE) for line in _differing(cfg, part, theirs.get(part))]
    if differing:
        raise ConfigError(
            f"init_from={cfg.init_from}: its first stage is another one ({'; '.join(differing)}). Write what the "
            "command of that run said of network, quantiser and likelihood"
        )


def _differing(cfg: DictConfig, part: str, theirs: Any) -> Iterator[str]:
    """Say which values of a part differ; nothing for a part that the run lacks, which the loading of weights names."""
    if not OmegaConf.is_dict(theirs):
        return
    written: Any = OmegaConf.to_container(cfg.model, resolve=False)
    points = isinstance(written[part], str)  # to the place where the value is set
    place = written[part][2:-1] if points else f"model.{part}"
    then, now = (_values(OmegaConf.to_container(node, resolve=True)) for node in (theirs, cfg.model[part]))
    for key in dict.fromkeys([*then, *now]):
        if then.get(key) != now.get(key):
            yield f"{place}.{key}: {then.get(key, 'none')} there, {now.get(key, 'none')} here"


def _values(node: Any) -> dict[str, Any]:
    """Values by dotted name, without those that stand elsewhere."""
    return {key: value for key, value in leaves(node) if key.partition(".")[0] not in _ELSEWHERE}
