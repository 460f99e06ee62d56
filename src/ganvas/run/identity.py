"""Which configs are the same: their hash without what does not change the result."""

from __future__ import annotations

from omegaconf import DictConfig, OmegaConf

from ganvas.tracking.provenance import config_hash

PLACES = ("tracking.parent", "tracking.run_id", "tracking.trial", "tracking.label")
"""Where a run of a sweep belongs: set by the sweep, part of no name and no hash."""

_PLACELESS = {"paths": {"data": "", "cache": "", "output": ""}, "study": None, "resume": None}


def job_hash(cfg: DictConfig) -> str:
    """Hash of one training: its config without paths, study, tracking and the checkpoint it goes on from.

    Args:
        cfg: composed.
    """
    return config_hash(_plain(cfg))


def configuration_hash(cfg: DictConfig) -> str:
    """Hash of what the seeds of one configuration share.

    Args:
        cfg: composed.
    """
    return config_hash({**_plain(cfg), "seed": None})


def _plain(cfg: DictConfig) -> dict:
    values = OmegaConf.to_container(OmegaConf.merge(cfg, _PLACELESS), resolve=True)
    assert isinstance(values, dict)
    return {**values, "tracking": None}
