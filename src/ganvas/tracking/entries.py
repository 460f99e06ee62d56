"""Writes the entries of a journal to the store: one function for each kind, which may be called twice for one entry."""

from __future__ import annotations

import json
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from mlflow.entities import Dataset, DatasetInput, InputTag, Param, RunTag
from mlflow.tracking import MlflowClient
from mlflow.tracking.multimedia import compress_image_size, convert_to_pil_image
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT, MLFLOW_LOGGED_IMAGES
from mlflow.utils.validation import MAX_DATASET_DIGEST_SIZE

from ganvas.tracking import limits, views
from ganvas.tracking.hierarchy import FAILURE_TAG, NOT_LOGGED_TAG, OUTCOME_TAG
from ganvas.tracking.journal import Journal
from ganvas.types import Shape

RESUMED_TAG: Final = "ganvas.resumed_with"

Entry = Mapping[str, Any]


class GoneError(Exception):
    """A file that the journal names is not there."""


@dataclass(frozen=True)
class Target:
    """A run of the store, and the journal whose entries it gets.

    Args:
        client: client of the store.
        run_id: MLflow's id of the run.
        journal: the run's journal.
    """

    client: MlflowClient
    run_id: str
    journal: Journal


def begin(target: Target, entry: Entry) -> None:
    """Mark the run as RUNNING, with its tags and without those of an earlier end."""
    client, run_id = target.client, target.run_id
    client.update_run(run_id, status="RUNNING")
    tags(target, {"values": entry["tags"]})
    for tag in {FAILURE_TAG, NOT_LOGGED_TAG, OUTCOME_TAG} & client.get_run(run_id).data.tags.keys():
        client.delete_tag(run_id, tag)


def params(target: Target, entry: Entry) -> None:
    """Log parameters; those that a resumed run changes go into a tag, because MLflow's cannot change."""
    values = entry["values"]
    recorded = target.client.get_run(target.run_id).data.params
    changed = [f"{k}: {recorded[k]} -> {v}" for k, v in values.items() if recorded.get(k, v) != v]
    new = [Param(key, value) for key, value in values.items() if key not in recorded]
    target.client.log_batch(target.run_id, params=new)
    if changed:
        target.client.log_batch(target.run_id, tags=limits.tags({RESUMED_TAG: "; ".join(changed)}))


def tags(target: Target, entry: Entry) -> None:
    """Set tags."""
    target.client.log_batch(target.run_id, tags=[RunTag(key, value) for key, value in entry["values"].items()])


def described(name: str, fingerprint: str, split: str, shape: Shape, n: int, place: Path | None) -> dict[str, str]:
    """Describe a data set for MLflow; the digest holds 36 characters of the fingerprint, the profile all.

    Args:
        name: name of the data set.
        fingerprint: SHA-256 of the split's content.
        split: ``"train"``, ``"val"`` or ``"test"``.
        shape: of one example.
        n: number of examples.
        place: of the files; a source that MLflow knows, so that ``mlflow.data.get_source`` finds them.
    """
    return {
        "name": name,
        "digest": fingerprint[:MAX_DATASET_DIGEST_SIZE],
        "source_type": "ganvas" if place is None else "local",
        "source": json.dumps({"data": name} if place is None else {"uri": str(place)}),
        "profile": json.dumps({"n": n, "shape": list(shape), "split": split, "fingerprint": fingerprint}),
    }


def dataset(target: Target, entry: Entry) -> None:
    """Log a data set as an input of the run."""
    context = [InputTag(MLFLOW_DATASET_CONTEXT, entry["split"])]
    target.client.log_inputs(target.run_id, [DatasetInput(Dataset(**entry["dataset"]), context)])


def view(target: Target, entry: Entry) -> None:
    """Save a view of the run's experiment."""
    experiment = target.client.get_run(target.run_id).info.experiment_id
    views.keep(target.client, experiment, entry["name"], entry["value"])


def end(target: Target, entry: Entry) -> None:
    """End the run."""
    target.client.set_terminated(target.run_id, entry["status"], entry["time"])


def text(target: Target, entry: Entry) -> None:
    """Log a text as an artifact."""
    target.client.log_text(target.run_id, entry["text"], entry["path"])


def artifact(target: Target, entry: Entry) -> None:
    """Log a file under its own name."""
    with _kept(target, entry) as (kept, folder):
        named = folder / Path(entry["name"]).name
        try:
            named.symlink_to(kept)
        except OSError:  # Windows, without the right to make links
            shutil.copyfile(kept, named)
        target.client.log_artifact(target.run_id, str(named), entry["folder"])


def image(target: Target, entry: Entry) -> None:
    """Log a picture as ``MlflowClient.log_image`` does, but under the same name when it is called again."""
    with _kept(target, entry) as (kept, folder):
        picture = convert_to_pil_image(np.load(kept, allow_pickle=False))
        series = entry["key"].replace("/", "~")
        own = uuid.uuid5(uuid.NAMESPACE_OID, f"{target.journal.folder.name} {kept.name}")
        name = f"{series}+step+{entry['step']}+timestamp+{entry['time']}+{own}"
        picture.save(folder / f"{name}.png")
        compress_image_size(picture).save(folder / f"{name}+compressed.webp")
        for path in sorted(folder.iterdir()):
            target.client.log_artifact(target.run_id, str(path), "images")
        target.client.set_tag(target.run_id, MLFLOW_LOGGED_IMAGES, True)


Write = Callable[[Target, Entry], None]
RECORDS: Final[Mapping[str, Write]] = MappingProxyType(
    {"begin": begin, "params": params, "tags": tags, "dataset": dataset, "view": view, "end": end}
)
"""Entries that follow each other in one queue, together with the metrics, which are delivered many at a time."""
FILES: Final[Mapping[str, Write]] = MappingProxyType({"text": text, "artifact": artifact, "image": image})
"""Entries of the other queue, which an artifact store that is away holds up."""


@contextmanager
def _kept(target: Target, entry: Entry) -> Iterator[tuple[Path, Path]]:
    """Path of the file that an entry names, and a folder for copies with other names."""
    kept = target.journal.kept(entry["file"]).absolute()
    if not kept.exists():
        raise GoneError(f"{kept} is not there any more")
    with tempfile.TemporaryDirectory() as folder:
        yield kept, Path(folder)
