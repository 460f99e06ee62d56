"""What makes two trainings the same: hashes of their configs without what does not decide the numbers.

A key that came later is left out where it says that its part is absent, so that a training has the hash that it had
before there was the key; a sweep that was begun then goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from omegaconf import DictConfig, OmegaConf

from ganvas.run.classes import without_classes
from ganvas.tracking.provenance import config_hash

_PLACELESS: Final = {"paths": {"data": "", "cache": "", "output": ""}, "study": None, "resume": None}
_ABSENT: Final[Mapping[str, Any]] = {
    "accumulate": 1,
    "augment": {"_target_": "ganvas.augment.Unaugmented"},
    "auxiliary": {"_target_": "ganvas.objectives.NoAuxiliary"},
    "callbacks": {},
    "cuda_graphs": False,
    "deterministic": False,
    "ema": {"sigmas": []},
    "freeze": [],
    "generator_batch": None,
    "quantiser": None,
    "regulariser": {"_target_": "ganvas.objectives.Unregularised"},
    "sampler": None,
    "standing": None,
    "trust": [],
    "unroll": 0,
}
"""Keys of a config, or of its model, that are younger than the first hashes, and the value that changes nothing."""

_NORMAL: Final = {"posterior": {"_target_": "ganvas.latents.DiagonalNormal"}}
"""The same for the family of the posterior, which stands in encoders at any depth."""
_REPEATED: Final = {"decoder": "likelihood"}
"""Keys of parts that repeat a node at the top of the config."""


def job_hash(cfg: DictConfig) -> str:
    """Hash one training: its config without paths, study, tracking, the checkpoint that it resumes and its trust.

    Args:
        cfg: the composed config.
    """
    return hashes(cfg)[0]


def configuration_hash(cfg: DictConfig) -> str:
    """Hash one configuration: :func:`job_hash` without the seed.

    Args:
        cfg: the composed config.
    """
    return hashes(cfg)[1]


def hashes(cfg: DictConfig) -> tuple[str, str]:
    """Compute :func:`job_hash` and :func:`configuration_hash` of one config, which is resolved once.

    Args:
        cfg: the composed config.
    """
    plain = _plain(cfg)
    return config_hash(plain), config_hash({**plain, "seed": None})


def _plain(cfg: DictConfig) -> dict[str, Any]:
    shape = OmegaConf.select(cfg, "data.shape")  # of data=npz it is read from a file, which may lie below paths.data
    known = {} if shape is None else {"data": {"shape": shape}}
    values: Any = OmegaConf.to_container(OmegaConf.merge(cfg, known, _PLACELESS), resolve=True)
    values = _without_normal(values)
    values = {**values, "model": _present(values.get("model")), "score": _present(values.get("score"))}
    return {**without_classes(_present({**values, "tracking": None, "trust": []})), "tracking": None}


def _present(node: Any) -> Any:
    """Leave out the keys that say that a part is absent; anything but a mapping stays as it is."""
    if not isinstance(node, Mapping):
        return node
    return {key: value for key, value in node.items() if key not in _ABSENT or not _is_absent(value, _ABSENT[key])}


def _without_normal(node: Any) -> Any:
    """Leave out, at any depth, the posteriors that all encoders had before, and what repeats another node."""
    if not isinstance(node, Mapping):
        return node
    kept = {key: value for key, value in node.items() if (key, value) not in _NORMAL.items()}
    return {key: _without_normal(_without(value, _REPEATED.get(key))) for key, value in kept.items()}


def _without(node: Any, name: str | None) -> Any:
    return {key: value for key, value in node.items() if key != name} if isinstance(node, Mapping) else node


def _is_absent(value: Any, absent: Any) -> bool:
    """Whether a value changes nothing; of a mapping, the keys that say so are compared."""
    if isinstance(value, Mapping) and isinstance(absent, Mapping) and absent:
        return all(value.get(key) == expected for key, expected in absent.items())
    return bool(value == absent)
