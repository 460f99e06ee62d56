"""Classes of scored images and of references, and how those of one side are found among those of the other.

A model and an array file number their classes; a folder names them by its sub-folders. A name is looked up among the
names of the reference's classes; a name that is none of them, but a number, stands for the class of this number.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import final

import torch
from jaxtyping import Int64
from torch import Tensor

from ganvas.data.source import DataError
from ganvas.data.sources.scored import read_classes
from ganvas.metrics.labels import Labels, Unsuited


@final
@dataclass(frozen=True, eq=False)
class Classed:
    """The class of each of some images.

    Args:
        labels: numbers of the classes, from 0.
        names: names of the classes; None if they are only numbered.
        total: number of all classes; None if only those are known that occur.
    """

    labels: Int64[Tensor, " n"]
    names: tuple[str, ...] | None = None
    total: int | None = None


def classes_of_files(path: str, n: int) -> Classed | None:
    """Read the classes of images in files; None if they have none.

    Args:
        path: an array file, or a folder of images.
        n: number of images.

    Raises:
        Unsuited: the labels of an array file cannot be read.
    """
    try:
        found = read_classes(Path(path), n)
    except DataError as error:
        raise Unsuited(str(error)) from error
    return None if found is None else Classed(*found)


def common_labels(fake: Classed | None, real: Classed | None, metric: str, subject: str, reference: str) -> Labels:
    """Bring the classes of both sides to the numbering of the reference.

    Args:
        fake: classes that the samples were asked for.
        real: classes of the reference's images.
        metric: name of the metric that needs them, for the message.
        subject: name of the samples.
        reference: name of the reference.

    Raises:
        Unsuited: a side has no classes, or samples have a class that the reference does not have.
    """
    if fake is None:
        raise Unsuited(
            f"metrics: {metric} needs the class of each sample, and {subject} has none; score a conditional model, an "
            ".npz with an array labels beside its images, or a folder with a sub-folder for each class"
        )
    if real is None:
        raise Unsuited(
            f"metrics: {metric} needs classes of the reference, and reference={reference} has none; write "
            "reference=DATASET with classes, such as mnist5k"
        )
    names = real.names or tuple(map(str, range(real.total or int(real.labels.max()) + 1)))
    if fake.total is not None and real.total is not None and fake.total != real.total:
        raise Unsuited(
            f"metrics: {metric} compares class by class, but {subject} has {fake.total} classes and "
            f"reference={reference} has {real.total}; leave reference out for the data of the model"
        )
    return Labels(_numbered(fake, names, metric, subject, reference), real.labels, names)


def _numbered(fake: Classed, names: tuple[str, ...], metric: str, subject: str, reference: str) -> Tensor:
    """Number the classes of the samples as the reference does."""
    own = fake.names or tuple(map(str, range(int(fake.labels.max()) + 1)))
    places = {} if fake.names is None else {name: place for place, name in enumerate(names)}
    places = {str(place): place for place in range(len(names))} | places
    for c in fake.labels.unique():
        if own[c] not in places:
            raise Unsuited(
                f"metrics: {metric} compares class by class, and class {own[c]} of {subject} is none of the "
                f"{len(names)} classes of reference={reference}: {', '.join(names[:20])}; name or number them alike"
            )
    return torch.tensor([places.get(name, -1) for name in own])[fake.labels]
