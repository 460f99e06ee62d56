"""``ganvas doctor``: what is here, and what works with it. Nothing is downloaded."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import torch

from ganvas import __version__
from ganvas.sweeps.launchers import available_cores
from ganvas.tracking.store import NoStoreError, existing_store, tracking_uri, without_password
from ganvas.usage import Parser

DATA: Final = {
    "mnist": "MNIST/raw/train-images-idx3-ubyte",
    "fashion_mnist": "FashionMNIST/raw/train-images-idx3-ubyte",
    "kmnist": "KMNIST/raw/train-images-idx3-ubyte",
    "cifar10": "cifar-10-batches-py/data_batch_1",
    "svhn": "train_32x32.mat",
    "celeba": "celeba/list_attr_celeba.txt",
}
"""Data sets that are downloaded, each with one of its files: a download that failed leaves the folder."""
WEIGHTS: Final = {
    "inception": "weights-inception-2015-12-05-6726825d.pth",
    "dinov2": "dinov2_vitl14_pretrain.pth",
    "clip": "ViT-B-32.pt",
    "vgg16": "vgg16-397923af.pth",
}
"""Extractors whose weights are downloaded, each with the name of its file in torch's hub folder."""
EXTRAS: Final = {
    "hydra_plugins.hydra_joblib_launcher": ("joblib", "sweeps with hydra/launcher=local"),
    "hydra_plugins.hydra_submitit_launcher": ("slurm", "sweeps with hydra/launcher=slurm"),
    "hydra_plugins.hydra_ray_launcher": ("ray", "sweeps with hydra/launcher=ray_cluster"),
    "opacus": ("privacy", "private critics: constraint=dp_sgd"),
    "onnxruntime": ("onnx", "ganvas export with ONNX, and extractor=custom of an ONNX file"),
    "huggingface_hub": ("hub", "ganvas export --push"),
    "tensorboard": ("tensorboard", "tracking.also=[tensorboard]"),
    "wandb": ("wandb", "tracking.also=[wandb]"),
    "timm": ("extractors", "extractor=mae, convnext, swin, data2vec, clip_large, and DINOv2 in its sizes"),
    "h5py": ("shapes3d", "data=shapes3d"),
    "psycopg": ("postgres", "sweeps of several machines on PostgreSQL"),
    "pymysql": ("mysql", "sweeps of several machines on MySQL"),
    "codecarbon": ("codecarbon", "energy of each run"),
}
"""Optional modules, each with the name that installs it (an extra of ganvas, or itself) and what it is for."""
Row = tuple[str, str]


def main(arguments: list[str]) -> None:
    """Print what was found, one line each.

    Args:
        arguments: arguments after ``ganvas doctor``: none.
    """
    Parser(prog="ganvas doctor").parse_args(arguments)
    cache = Path("~/.cache/ganvas").expanduser()
    data = Path(os.environ.get("GANVAS_DATA") or cache)
    sections = {
        "machine": _machine(),
        "store": [_store()],
        "folders": _folders(cache, data),
        f"data sets in {data}": _data(data),
        "extractors": _weights(),
        "optional packages": _extras(),
    }
    for title, rows in sections.items():
        print(title)
        for name, said in rows:
            print(f"  {name:14} {said}")


def _machine() -> Iterator[Row]:
    yield "ganvas", __version__
    yield "torch", f"{torch.__version__}, {torch.get_num_threads()} threads on {available_cores()} cores"
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        precision = "bf16-mixed and 16-mixed work" if torch.cuda.is_bf16_supported() else "16-mixed works"
        yield f"cuda:{index}", f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB; {precision}"
    if torch.backends.mps.is_available():
        yield "mps", "available: trainer.accelerator=mps"
    if not torch.cuda.is_available():
        yield "GPU", "no CUDA device: trainings run on the processor"


def _store() -> Row:
    uri = without_password(tracking_uri())
    try:
        count = len(existing_store().search_experiments())
    except NoStoreError:
        return "MLflow", f"{uri}: not there yet; the first training makes it"
    except Exception as error:  # whatever is wrong with it is what this command shows
        return "MLflow", f"{uri}: DOES NOT ANSWER: {without_password(' '.join(str(error).split()))}"
    return "MLflow", f"{uri}: answers, {count} experiment{'s' * (count != 1)}"


def _folders(cache: Path, data: Path) -> Iterator[Row]:
    yield "outputs", _folder(Path("outputs").absolute())
    yield "data", f"{_folder(data)}; GANVAS_DATA or paths.data=DIR is another"
    yield "cache", f"{_folder(cache / 'reference')}; paths.cache=DIR is another"


def _folder(path: Path) -> str:
    """Say whether a folder is there and can be written; its size is not counted, which may take minutes."""
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    absent = "" if there == path else " (not there yet)"
    if not os.access(there, os.W_OK):
        return f"{path}{absent}: CANNOT BE WRITTEN"
    return f"{path}{absent}: {shutil.disk_usage(there).free / 2**30:,.0f} GiB free"


def _data(root: Path) -> Iterator[Row]:
    yield "mnist5k", "comes with the packages; so do sprites, ring, grid, swiss_roll"
    for name, path in DATA.items():
        yield name, "here" if (root / path).exists() else f"not here: data={name} downloads it"
    yield "folder, npz", "your own: data=folder data.path=DIR data.size=64, or data=npz data.path=FILE"
    yield "dsprites, shapes3d", "the published files: data=dsprites data.path=FILE"


def _weights() -> Iterator[Row]:
    yield "mnist", "comes with ganvas: fd, is, kid, prdc of 28x28 grey images"
    yield "cifar10", "comes with ganvas: fd, is, kid, prdc of 32x32 colour images"
    yield "random", "comes with ganvas: fd, kid, prdc of any images, by a network that never saw one"
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    for name, file in WEIGHTS.items():
        what = "fid, is, kid" if name == "inception" else "fd, kid"
        absent = f"not here: {what} download {file}"
        yield name, f"here: {what}" if (folder / file).is_file() else absent
    yield "downloads", f"go to {folder}"
    yield "local copies", "extractor.weights=PATH for inception (inception_spatial too), clip and vgg16"
    yield "custom", "your own network: extractor=custom; or none: no scores from features"


def _extras() -> Iterator[Row]:
    for module, (extra, what) in EXTRAS.items():
        yield extra, f"{'here' if find_spec(module) else 'not here'}: {what}"
