"""``ganvas export``: write a model as a folder that travels: weights, config, model card, and graphs that run alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import hydra
import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from PIL import Image

from ganvas.commands.carried import carried
from ganvas.config import CONFIG_PATH, ConfigError
from ganvas.data import pictures
from ganvas.exports import served
from ganvas.exports.card import CARD, card
from ganvas.exports.graphs import ONNX, TORCH, write_graphs
from ganvas.exports.hub import push, require_hub
from ganvas.exports.record import record_of
from ganvas.models.by_class import rows_of_classes
from ganvas.scoring.subjects import ModelSubject, open_subject
from ganvas.storage.atomic import write_atomically, write_json
from ganvas.storage.checkpoints import LAST
from ganvas.storage.exported import CONFIG, FACTS, WEIGHTS, write_exported
from ganvas.tracking.registering import register

SAMPLES: Final = "samples.png"
FILES: Final = (CARD, CONFIG, FACTS, WEIGHTS, TORCH, ONNX, SAMPLES)
_SHOWN: Final = 64
_OWN: Final = ("paths", "tracking", "study", "trust", "init_from", "init_parts", "resume")
"""Keys of the config that belong to the person who trained the model: folders, stores, other runs."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]*")


@hydra.main(config_path=CONFIG_PATH, config_name="export", version_base="1.3")
@carried
def main(cfg: DictConfig) -> None:
    """Export the model; Hydra calls it with the composed config."""
    export(cfg, Path(HydraConfig.get().runtime.output_dir))


def export(cfg: DictConfig, output: Path) -> dict[str, Any]:
    """Write a model as a folder, and register or upload it if that is asked for.

    Args:
        cfg: the config, composed from ``conf/export.yaml``.
        output: the exported folder.

    Returns:
        The content of ``result.json``.

    Raises:
        ConfigError: the source is not a model, or a name is not valid.
        StoreError: the MLflow store did not accept the model.
    """
    _check(cfg, output)
    subject = open_subject(cfg.source, torch.device("cpu"), cfg.trust)
    if not isinstance(subject, ModelSubject) or subject.config is None:
        raise ConfigError(f"source={cfg.source}: images, not a model; give a run id or a checkpoint")
    model, record = subject.model, record_of(subject)
    kept = [str(key) for key in subject.config if key not in _OWN]
    config = OmegaConf.to_yaml(OmegaConf.masked_copy(subject.config, kept))
    write_exported(output, config, model.state_dict(), subject.images_seen, subject.origin)
    graphs = write_graphs(model, output)
    if len(subject.shape) == 3:
        shown = model.sample(_SHOWN, 0) if model.classes is None else rows_of_classes(model, range(model.classes), 8, 0)
        picture = pictures.grid(shown, 8).permute(1, 2, 0).contiguous().numpy()
        Image.fromarray(picture).save(output / SAMPLES)
    write_atomically(output / CARD, card(subject, record, graphs, cfg.license).encode())
    result = {
        "source": cfg.source,
        "images_seen": subject.images_seen,
        "files": [name for name in FILES if (output / name).is_file()],
        "differences": {graph.file: graph.difference for graph in graphs},
        "lacking": {graph.file: graph.lacking for graph in graphs if graph.lacking},
        "output": str(output.absolute()),
    }
    print(f"exported to {output}: {', '.join(result['files'])}")
    for name, reason in result["lacking"].items():
        print(f"without {name}: {reason}")
    result |= {"registered": _register(cfg, subject, output), "pushed": _push(cfg, output, result["files"])}
    write_json(output / "result.json", result)
    return result


def _check(cfg: DictConfig, output: Path) -> None:
    """Refuse before anything is read or written what cannot be done at the end."""
    if cfg.register is not None and not _NAME.fullmatch(cfg.register):
        raise ConfigError(f"register={cfg.register}: expected letters, digits, '.', '_', '-' and spaces; write a name")
    if cfg.push is not None:
        require_hub(cfg.push)
    if (output / LAST).exists():
        raise ConfigError(f"paths.output={output}: the output folder of a training; write --out with another folder")


def _register(cfg: DictConfig, subject: ModelSubject, folder: Path) -> str | None:
    if cfg.register is None:
        return None
    request = served.example(subject.model)
    answer = served.Served(subject).predict(request)
    run_id = str(subject.origin.get("run_id", ""))
    version = register(folder, cfg.register, run_id, cfg.experiment, served.__name__, request, answer)
    print(f"registered as {version}; serve it by: mlflow models serve -m '{version}' --env-manager local")
    return version


def _push(cfg: DictConfig, folder: Path, files: list[str]) -> str | None:
    if cfg.push is None:
        return None
    address = push(folder, cfg.push, files)
    print(f"uploaded to {address}")
    return address
