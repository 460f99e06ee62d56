r"""Scores during training, accumulated over batches, by torchmetrics with the same extractor as the final scores.

Each batch passes the extractor once; torchmetrics gets the features and logits instead of images. The real side is
accumulated once and kept. torchmetrics shuffles with the global random state. This state is forked, seeded with the
seed of the settings, and restored, so scoring does not change the training. The Fréchet distance equals that of the
final scores up to rounding; ``is`` and ``kid`` differ from them by their shuffles.

In a distributed run each process takes its part of the images, in the order of the ranks. To compute scores, sums of
moments (float64) and features are gathered in the order in which a single process would have them.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.inception import InceptionScore
from torchmetrics.image.kid import KernelInceptionDistance

from ganvas.extractors.base import Extractor
from ganvas.health.finding import Finding
from ganvas.health.findings import finding_on_predictions
from ganvas.metrics.base import Score, Settings
from ganvas.metrics.inception_score import is_parts
from ganvas.metrics.kid import kid_score, subset_size
from ganvas.metrics.registry import frechet_name, key


@final
class _Given(nn.Module):
    """The identity, used by torchmetrics as its feature extractor, since the features are already computed."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        return features


@final
class _ClassCounts(Metric):
    """Counts of predicted classes on the real and the fake side."""

    real: Tensor
    fake: Tensor

    def __init__(self, num_classes: int) -> None:
        super().__init__(sync_on_compute=False)
        for side in ("real", "fake"):
            self.add_state(side, torch.zeros(num_classes, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, logits: Tensor, real: bool) -> None:
        counts = logits.argmax(1).bincount(minlength=logits.shape[1])
        setattr(self, "real" if real else "fake", (self.real if real else self.fake) + counts)

    def compute(self) -> tuple[Tensor, Tensor]:
        return self.real, self.fake

    def forget_fakes(self) -> None:
        self.fake = torch.zeros_like(self.fake)


@contextmanager
def _own_random_state(seed: int) -> Iterator[None]:
    """Seed the CPU's generator inside the block and restore it afterwards; torchmetrics permutes on the CPU only."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


@final
class StreamingScores(nn.Module):
    """Fréchet distance, Inception Score (if there are logits) and kernel distance, accumulated over batches.

    It must not be a submodule of the trained model, or the extractor's weights are saved in every checkpoint.

    Args:
        extractor: extractor of the final scores.
        settings: settings of the final scores.
    """

    def __init__(self, extractor: Extractor, settings: Settings) -> None:
        super().__init__()
        self.extractor = extractor
        self.settings = settings
        given = _Given(extractor.num_features)
        alone: dict[str, Any] = {"sync_on_compute": False}  # compute() gathers for all of them
        with warnings.catch_warnings():
            # Both metrics warn that they keep all features: they are small, and n is the user's choice.
            warnings.filterwarnings("ignore", message=".*save all extracted features")
            self.frechet = FrechetInceptionDistance(given, reset_real_features=False, **alone)
            self.kernel = KernelInceptionDistance(
                given, subsets=settings.kid_subsets, reset_real_features=False, **alone
            )
            classes = extractor.num_classes
            self.inception = None if classes is None else InceptionScore(given, splits=settings.is_splits, **alone)
            self.classes = None if classes is None else _ClassCounts(classes)

    @property
    def n_real(self) -> int:
        """Number of real images seen so far by this process."""
        return int(self.frechet.real_features_num_samples)

    @property
    def n_fake(self) -> int:
        """Number of generated images seen since the last reset by this process."""
        return int(self.frechet.fake_features_num_samples)

    def update(self, images: Tensor, *, real: bool) -> None:
        """Add one batch of images.

        Args:
            images: ``uint8 (n, c, h, w)`` in [0, 255].
            real: True for reference images, which are kept across resets, False for generated ones.

        Raises:
            ValueError: the extractor cannot read the images.
        """
        values, logits = self.extractor(images)
        # Clones made outside inference mode are ordinary tensors, which torchmetrics may keep and change.
        self.frechet.update(values.double(), real=real)
        self.kernel.update(values.clone(), real=real)
        if self.inception is not None and not real:
            self.inception.update(logits.clone())
        if self.classes is not None:
            self.classes.update(logits, real)

    def compute(self) -> dict[str, Score]:
        """Compute the scores of all images so far, of all processes, under the keys of the final scores.

        Returns:
            Scores by key ``score/<extractor>/<metric>``.

        Raises:
            ValueError: a side has fewer than 2 images, or a split of the Inception Score has fewer than 2.
        """
        name = self.extractor.name
        with self._gathered(), _own_random_state(self.settings.seed):
            self._require_images()
            sizes = (
                self.n_real,
                self.n_fake,
            )  # read them now: compute() returns each metric to the state of its own process
            found = {key(name, frechet_name(name)): Score(float(self.frechet.compute()), sd=None, sd_over="")}
            if self.inception is not None:
                found[key(name, "is")] = self._inception_score(self.inception)
            found[key(name, "kid")] = self._kernel_distance(*sizes)
        return found

    def findings(self) -> tuple[Finding, ...]:
        """Judge whether the generated images have all classes; none if real images lack a class, or without logits."""
        if self.classes is None:
            return ()
        with self.classes.sync_context():
            real, fake = (side.cpu() for side in self.classes.compute())
        return finding_on_predictions(real, torch.arange(len(fake)).repeat_interleave(fake))

    def reset(self) -> None:
        """Forget the generated images; the real side stays."""
        self.frechet.reset()
        self.kernel.reset()
        if self.inception is not None:
            self.inception.reset()
        if self.classes is not None:
            self.classes.forget_fakes()

    @contextmanager
    def _gathered(self) -> Iterator[None]:
        """Gather the states of all processes inside the block; a single process keeps its state."""
        self._one_tensor_each()
        with ExitStack() as stack:
            for metric in (self.frechet, self.kernel, self.inception):
                if metric is not None:
                    stack.enter_context(metric.sync_context())
            yield

    def _one_tensor_each(self) -> None:
        # torchmetrics gathers lists entry by entry. With unequal numbers of batches the processes would wait for each
        # other forever, and the order would not be that of the images.
        features = self.extractor.num_features
        self.kernel.real_features = _joined(self.kernel.real_features, features, self.extractor.device)
        self.kernel.fake_features = _joined(self.kernel.fake_features, features, self.extractor.device)
        if self.inception is not None:
            assert self.extractor.num_classes is not None
            self.inception.features = _joined(
                self.inception.features, self.extractor.num_classes, self.extractor.device
            )

    def _require_images(self) -> None:
        least = 2 if self.inception is None else 2 * self.settings.is_splits
        if self.n_real < 2 or self.n_fake < least:
            raise ValueError(
                f"images: expected at least 2 real and {least} generated images (two a split of the Inception Score), "
                f"got {self.n_real} and {self.n_fake}; update() with more before compute()"
            )

    def _inception_score(self, metric: InceptionScore) -> Score:
        # torchmetrics divides by splits - 1, torch-fidelity by splits; with one split torchmetrics warns and gives NaN.
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*degrees of freedom")
            mean, sd = metric.compute()
        splits = self.settings.is_splits
        return Score(float(mean), float(sd.nan_to_num()) * math.sqrt((splits - 1) / splits), is_parts(splits))

    def _kernel_distance(self, n_real: int, n_fake: int) -> Score:
        size = subset_size(self.settings.kid_subset_size, n_real, n_fake)
        self.kernel.subset_size = size
        mean, sd = self.kernel.compute()
        return kid_score(float(mean), float(sd), self.settings.kid_subsets, (size, n_real, n_fake))


def _joined(parts: list[Tensor], width: int, device: torch.device) -> list[Tensor]:
    return [torch.cat(parts) if parts else torch.empty(0, width, device=device)]
