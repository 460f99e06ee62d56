"""The step through Hydra: an error of a command passes Hydra unseen, and an aborted start leaves no folder behind.

Hydra prints ``Error executing job with overrides`` for every ``Exception`` of its task function. It lets a
``BaseException`` pass, so the error travels inside one.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any, Final, final

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ganvas.config import ConfigError, require_resolvable, require_values
from ganvas.storage.atomic import LOCK

_PLACES: Final = ("paths.output", "hydra.run.dir")


@final
class Carried(BaseException):
    """Carries the error of a command through Hydra.

    Args:
        error: what the command raised.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


def carried(task: Callable[[DictConfig], Any]) -> Callable[[DictConfig], Any]:
    """Make the task function that ``hydra.main`` decorates; a sweep unwraps it, because it records errors itself.

    Args:
        task: the command's main function, called with the composed config.
    """

    @wraps(task)
    def called(cfg: DictConfig) -> Any:
        try:
            if "model" not in cfg:  # a training checks its parts first, and says more about them
                require_resolvable(cfg)  # before anything is written, also where a command would not read the value
                require_values(cfg)
            return task(cfg)
        except BaseException as error:
            _forget_empty_folder()
            if isinstance(error, Exception):
                raise Carried(_clearer(error, cfg)) from error
            raise

    return called


def _clearer(error: Exception, cfg: DictConfig) -> Exception:
    """Name the key of an interpolation that led nowhere, or to no list where one belongs; OmegaConf does not."""
    if isinstance(error, OmegaConfBaseException | TypeError) or isinstance(error.__cause__, OmegaConfBaseException):
        try:
            require_resolvable(cfg)
        except ConfigError as named:
            return named
    return error


def _forget_empty_folder() -> None:
    """Delete the output folder that Hydra made by default, with its empty parents, if nothing was written to it."""
    config = HydraConfig.get()
    overrides = OmegaConf.to_container(config.overrides, resolve=False)  # a value may hold an interpolation
    assert isinstance(overrides, dict)
    given = [*overrides["task"], *overrides["hydra"]]
    folder, here = Path(config.runtime.output_dir), Path.cwd()
    if any(override.lstrip("+").partition("=")[0] in _PLACES for override in given) or here not in folder.parents:
        return
    with suppress(OSError):
        if all(entry.name in (".hydra", LOCK) for entry in folder.iterdir()):
            shutil.rmtree(folder)
        for parent in folder.relative_to(here).parents[:-1]:
            (here / parent).rmdir()
