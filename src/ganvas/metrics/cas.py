r"""Classification accuracy score (CAS): a classifier is trained on samples and tested on real images.

.. math:: \frac1m \#\{j : \arg\max_k h_k(x_j) = y_j\}, \qquad
    h = \arg\min_h \sum_i -\log \operatorname{softmax}(h(\tilde x_i))_{\tilde y_i}

with samples :math:`\tilde x_i`, the classes :math:`\tilde y_i` they were asked for, and the real images :math:`x_j` of
the reference that have one of these classes. It needs samples of the right class and, unlike label accuracy, of all
kinds of images in a class.

The protocol is small, so that it runs on a CPU: :class:`Network` is trained by Adam, with a rate that falls to 0 along
a line, on a fixed number of images, drawn in shuffled passes over the samples. Values are comparable with each other
and not with the paper's, whose classifier is a ResNet-50. The floor is the accuracy of the same classifier trained on
as many real training images: no generator is expected above it. The ceiling is the share of the most frequent class.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, final

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor, nn

from ganvas.data.batches import model_input
from ganvas.data.source import Examples
from ganvas.display import counted
from ganvas.metrics.base import LABELS, SEED, Material, Measured, Metric, Setting
from ganvas.metrics.labels import Labels, Unsuited
from ganvas.metrics.share import share

BATCH: Final = 128
RATE: Final = 2e-3
WIDTHS: Final = (32, 64, 128)
REGIONS: Final = 4


@final
class Network(nn.Module):
    """A small classifier of images of any size: three convolutions of stride 2, means of 4x4 regions, a linear layer.

    Args:
        channels: of the images.
        classes: number of classes.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, width in zip((channels, *WIDTHS), WIDTHS, strict=False):
            layers += [nn.Conv2d(before, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(REGIONS), nn.Flatten())
        self.head = nn.Linear(WIDTHS[-1] * REGIONS**2, classes)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        """Compute class logits of images in [-1, 1]."""
        return self.head(self.features(x))


def trained_on(
    images: UInt8[Tensor, "n c h w"], labels: Int64[Tensor, " n"], classes: int, *, shown: int, seed: int
) -> Network:
    """Train a classifier; the global random state does not change.

    Reference: Ravuri and Vinyals 2019, section 3, https://arxiv.org/abs/1905.10887.

    Args:
        images: ``uint8`` in [0, 255], at least 2.
        labels: class of each image.
        classes: number of classes.
        shown: number of images to train on in all, rounded up to whole batches.
        seed: seed of initial weights and of the order of the images.

    Returns:
        The classifier in evaluation mode, on the CPU.
    """
    size = min(BATCH, len(images))
    steps = -(-shown // size)
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.default_generator.manual_seed(seed)
        network = Network(images.shape[1], classes)
        optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
        rate = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=steps)
        batches = _shuffled(len(images), size, steps, torch.Generator().manual_seed(seed))
        for index in counted("images shown to the classifier of cas", batches, steps * size):
            loss = nn.functional.cross_entropy(network(model_input(images[index])), labels[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            rate.step()
    return network.eval()


def _shuffled(n: int, size: int, steps: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Yield positions of batches in shuffled passes; a pass leaves out what does not fill a batch."""
    for step in range(steps):
        place = step % (n // size) * size
        if place == 0:
            order = torch.randperm(n, generator=generator)
        yield order[place : place + size]


@torch.no_grad()
def right(network: Network, images: UInt8[Tensor, "n c h w"], labels: Int64[Tensor, " n"]) -> Bool[Tensor, " n"]:
    """Tell for each image whether the classifier gives it its class."""
    parts = zip(images.split(BATCH), labels.split(BATCH), strict=True)
    return torch.cat([network(model_input(x)).argmax(1) == y for x, y in parts])


_SHOWN = Setting("cas_images", 50_000, "number of images that the classifier of cas is trained on", least=1)


def _cas(material: Material) -> Measured:
    labels = material.labels("cas")
    test = _of_classes(material.examples(material.split, "cas"), labels)
    sides = {material.subject: (material.n, material.shape), material.reference: (len(test[0]), test[0].shape[1:])}
    if len(material.shape) != 3 or min(n for n, _ in sides.values()) < 2 or len({x[0] for _, x in sides.values()}) > 1:
        found = ", ".join(f"{name} has {n} of shape {tuple(x)}" for name, (n, x) in sides.items())
        raise Unsuited(
            "metrics: cas expects at least 2 images of the classes asked for and equal channels on both sides, "
            f"{found}; leave cas out"
        )
    hits = right(_trained(material, material.draw(), labels.fake, labels), *test)
    floor, notes = _floor(material, test, labels)
    return Measured(
        {"accuracy": share(hits, f"{material.split} images, training held")},
        floor=floor,
        ceiling={"accuracy": float(test[1].bincount().max()) / len(hits)} if material.calibration else {},
        conditions=labels.conditions(),
        notes=notes,
    )


def _trained(material: Material, images: Tensor, classes: Tensor, labels: Labels) -> Network:
    s = material.settings
    return trained_on(images, classes, len(labels.names), shown=s.cas_images, seed=s.seed)


def _of_classes(examples: Examples, labels: Labels, n: int | None = None, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Read the images of the classes that samples were asked for, and their classes: ``n`` drawn ones, or all."""
    assert examples.labels is not None
    index = torch.isin(examples.labels, labels.fake.unique()).nonzero().squeeze(1)
    if n is not None:
        index = index[torch.randperm(len(index), generator=torch.Generator().manual_seed(seed))[:n]]
    return examples.batch(index), examples.labels[index]


def _floor(material: Material, test: tuple[Tensor, Tensor], labels: Labels) -> tuple[dict[str, float], tuple[str, ...]]:
    """Train on real images, as many as there are samples, and say if there are fewer."""
    if not material.calibration or material.split == "train" or not material.has("train"):
        return {}, ()
    train, n = material.examples("train", "cas"), len(labels.fake)
    if train.labels is None:
        return {}, ()
    images, classes = _of_classes(train, labels, n, material.settings.seed)
    accuracy = float(right(_trained(material, images, classes, labels), *test).double().mean())
    short = (f"the floor of cas is trained on all {len(images)} training images, the score on {n} generated images",)
    return {"accuracy": accuracy}, short * (len(images) < n)


METRIC = Metric(
    "cas",
    LABELS,
    {"accuracy": False},
    (_SHOWN, SEED),
    1,
    _cas,
    "accuracy on real images of a small classifier trained on samples; the floor is that of one trained on as many "
    "real training images",
    "cas",
)
