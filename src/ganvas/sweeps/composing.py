"""Composition of the configs of a sweep's jobs, which differ in the values of a few keys.

Hydra reads, parses and merges the same files for every job, which costs more than all that MLflow does. Values are set
after the files are merged, so a job whose files are those of an earlier job has that job's config with other values.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Sequence
from typing import Final, final

from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType, QuotedString
from omegaconf import DictConfig, OmegaConf

_KEPT: Final = 8
"""Compositions that are remembered; a job has two, one of its recipe and one with its places."""
_FOLDERS: Final = ("hydra.sweep.", "hydra.run.")
"""Beginnings of Hydra's keys that name the folder of a job."""
_Files = tuple[str, ...]


@final
class JobLoader:
    """Hydra's config loader, with a memory for :meth:`load_sweep_config`.

    Args:
        loader: composes what is not remembered, and answers every other request.
    """

    def __init__(self, loader: ConfigLoader) -> None:
        self._loader = loader
        self._groups = frozenset(loader.list_groups(""))
        self._known: dict[_Files, tuple[list[Override], DictConfig]] = {}

    def __getattr__(self, name: str) -> object:
        if name.startswith("_"):
            raise AttributeError(name)  # copies and pickles ask before there is a loader
        return getattr(self._loader, name)

    def load_sweep_config(self, master_config: DictConfig, sweep_overrides: list[str]) -> DictConfig:
        """Compose the config of a job, as :meth:`ConfigLoader.load_sweep_config` does.

        Args:
            master_config: config of the command line.
            sweep_overrides: overrides of the job.
        """
        of_hydra = OmegaConf.to_container(master_config.hydra.overrides.hydra)
        assert isinstance(of_hydra, list)
        overrides = OverridesParser.create().parse_overrides([*of_hydra, *sweep_overrides])
        files = tuple(self._files(overrides))
        if files in self._known:
            earlier, config = self._known[files]
            made = _with_values(config, earlier, overrides)
            OmegaConf.copy_cache(from_config=master_config, to_config=made)
            return made
        made = self._loader.load_sweep_config(master_config, sweep_overrides)
        if len(self._known) == _KEPT:
            del self._known[next(iter(self._known))]
        self._known[files] = overrides, copy.deepcopy(made)
        return made

    def _files(self, overrides: Sequence[Override]) -> Iterator[str]:
        """Name what the merged files depend on: every override, but of a plain value its key alone."""
        keys = [override.key_or_group for override in overrides]
        for key, override in zip(keys, overrides, strict=True):
            is_value = _is_plain(override) and key not in self._groups and _is_apart(key, keys)
            yield key if is_value else str(override.input_line)


def _is_plain(override: Override) -> bool:
    """Whether an override sets one value of the config, and nothing of Hydra's but the folders of jobs."""
    of_hydra = override.is_hydra_override() and not override.key_or_group.startswith(_FOLDERS)
    return (
        override.type is OverrideType.CHANGE
        and override.package is None
        and "/" not in override.key_or_group
        and not of_hydra
        and isinstance(override.value(), str | int | float | bool | QuotedString | None)
    )


def _is_apart(key: str, keys: Sequence[str]) -> bool:
    """Whether no other key is the same, above it or below it: then the order of both does not matter."""
    return keys.count(key) == 1 and not any(
        f"{key}.".startswith(f"{k}.") or k.startswith(f"{key}.") for k in keys if k != key
    )


def _with_values(config: DictConfig, earlier: Sequence[Override], overrides: Sequence[Override]) -> DictConfig:
    """Copy a config, and set what its overrides and those of another job say differently."""
    made = copy.deepcopy(config)
    pairs = zip(earlier, overrides, strict=True)
    ConfigLoaderImpl._apply_overrides_to_config([b for a, b in pairs if a.input_line != b.input_line], made)
    task = [override for override in overrides if not override.is_hydra_override()]
    made.hydra.overrides.hydra = [override.input_line for override in overrides if override.is_hydra_override()]
    made.hydra.overrides.task = [override.input_line for override in task]
    made.hydra.runtime.cwd = os.getcwd()
    dirname = made.hydra.job.config.override_dirname
    made.hydra.job.override_dirname = get_overrides_dirname(
        overrides=task, kv_sep=dirname.kv_sep, item_sep=dirname.item_sep, exclude_keys=dirname.exclude_keys
    )
    return made
