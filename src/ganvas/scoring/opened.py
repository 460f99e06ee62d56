"""What the sources of one command have in common: extractors, training data, the reference; each is opened once.

A part is shared by requests of equal content: an extractor by its config and device, data by their config and
transform, a reference by its name, split, data keys and size of images, or by the data of the model.
"""

from __future__ import annotations

from typing import Any, final

import torch
from omegaconf import DictConfig, OmegaConf

from ganvas.data.datamodule import DataModule
from ganvas.data.sources.scored import Fit
from ganvas.extractors.base import Extractor
from ganvas.extractors.features import Remembers
from ganvas.scoring.references import Reference, find_reference
from ganvas.scoring.several import build_extractors
from ganvas.scoring.subjects import ModelSubject, Subject, open_data
from ganvas.storage.digest import digest


@final
class Opened(Remembers):
    """Extractors, data and references of one command; make one for each command, so that nothing outlives it."""

    def extractors(self, node: Any, device: torch.device) -> tuple[Extractor, ...]:
        """Build extractors at the first request, see :func:`~ganvas.scoring.several.build_extractors`."""
        return self.once(("extractors", _content(node), str(device)), lambda: build_extractors(node, device))

    def data(self, config: DictConfig) -> DataModule:
        """Open the training data of a model at the first request.

        What scoring reads of them depends neither on the seed nor on the batch size of the training.

        Args:
            config: config of the training.
        """
        return self.once(("data", _content(config.data), _content(config.transform)), lambda: open_data(config))

    def reference(self, cfg: DictConfig, subject: Subject | None, fit: Fit | None) -> Reference:
        """Open the reference at the first request, see :func:`~ganvas.scoring.references.find_reference`."""
        own = subject.data if cfg.reference is None and isinstance(subject, ModelSubject) else None
        asked = (cfg.reference, own, cfg.split, _content(cfg.data), cfg.paths.data, repr(fit))
        return self.once(("reference", *asked), lambda: find_reference(cfg, subject, fit))


def _content(node: Any) -> str:
    """Hash a config, with its interpolations resolved."""
    return digest({"": OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node})
