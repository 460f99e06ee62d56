r"""Scores during training, batch by batch, by torchmetrics over the same extractor as the final scores.

Each batch passes the extractor once; torchmetrics gets the features and logits in place of images. The real side is
accumulated once and kept. torchmetrics shuffles with the global random state, so that is forked, seeded with the
stated seed, and given back: scoring leaves training untouched. The Fréchet distance is that of the final scores up to
rounding; ``is`` and ``kid`` differ from them by their shuffles.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.inception import InceptionScore
from torchmetrics.image.kid import KernelInceptionDistance

from ganvas.metrics.extractor import Extractor
from ganvas.metrics.kid import subset_size
from ganvas.metrics.score import Score, frechet_name, is_parts, key, kid_score
from ganvas.metrics.settings import MetricSettings


@final
class _Given(nn.Module):
    """The identity: torchmetrics asks it for features and gets those already computed."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        return features


@contextmanager
def _own_random_state(seed: int) -> Iterator[None]:
    """Draw from a fresh CPU stream; only the CPU's generator is touched, since torchmetrics permutes there."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


@final
class StreamingScores(nn.Module):
    """Fréchet distance, Inception Score (where there are logits) and kernel distance, accumulated over batches.

    Keep it out of the trained model's submodules, or the extractor's weights go into every checkpoint.

    Args:
        extractor: shared with the final scores.
        settings: those of the final scores.
    """

    def __init__(self, extractor: Extractor, settings: MetricSettings) -> None:
        super().__init__()
        self.extractor = extractor
        self.settings = settings
        given = _Given(extractor.num_features)
        with warnings.catch_warnings():
            # Both metrics warn that they keep all features: they are small, and n is the user's choice.
            warnings.filterwarnings("ignore", message=".*save all extracted features")
            self.frechet = FrechetInceptionDistance(given, reset_real_features=False)
            self.kernel = KernelInceptionDistance(given, subsets=settings.kid_subsets, reset_real_features=False)
            self.inception = None if extractor.num_classes is None else InceptionScore(given, splits=settings.is_splits)

    @property
    def n_real(self) -> int:
        """Real images seen so far."""
        return int(self.frechet.real_features_num_samples)

    @property
    def n_fake(self) -> int:
        """Generated images seen since the last reset."""
        return int(self.frechet.fake_features_num_samples)

    def update(self, images: Tensor, *, real: bool) -> None:
        """Take one batch.

        Args:
            images: ``uint8 (n, c, h, w)`` in [0, 255].
            real: True for reference images, which are kept across resets, False for generated ones.

        Raises:
            ValueError: images that the extractor refuses.
        """
        values, logits = self.extractor(images)
        # Clones made outside inference mode are ordinary tensors, which torchmetrics may keep and change.
        self.frechet.update(values.double(), real=real)
        self.kernel.update(values.clone(), real=real)
        if self.inception is not None and not real:
            self.inception.update(logits.clone())

    def compute(self) -> dict[str, Score]:
        """Scores of what was taken so far, under the same keys as the final ones.

        Returns:
            Scores by key ``score/<extractor>/<metric>``.

        Raises:
            ValueError: fewer than 2 images a side, or than two images a split.
        """
        self._require_images()
        name = self.extractor.name
        with _own_random_state(self.settings.seed):
            found = {key(name, frechet_name(name)): Score(float(self.frechet.compute()), sd=None, sd_over="")}
            if self.inception is not None:
                found[key(name, "is")] = self._inception_score(self.inception)
            found[key(name, "kid")] = self._kernel_distance()
        return found

    def reset(self) -> None:
        """Forget the generated images; the real side stays."""
        self.frechet.reset()
        self.kernel.reset()
        if self.inception is not None:
            self.inception.reset()

    def _require_images(self) -> None:
        least = 2 if self.inception is None else 2 * self.settings.is_splits
        if self.n_real < 2 or self.n_fake < least:
            raise ValueError(
                f"images: expected at least 2 real and {least} generated images (two a split of the Inception Score), "
                f"got {self.n_real} and {self.n_fake}; update() with more before compute()"
            )

    def _inception_score(self, metric: InceptionScore) -> Score:
        # torchmetrics divides by splits - 1, torch-fidelity by splits; with one split the former warns, with no value.
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*degrees of freedom")
            mean, sd = metric.compute()
        splits = self.settings.is_splits
        return Score(float(mean), float(sd.nan_to_num()) * math.sqrt((splits - 1) / splits), is_parts(self.settings))

    def _kernel_distance(self) -> Score:
        size = subset_size(self.settings.kid_subset_size, self.n_real, self.n_fake)
        self.kernel.subset_size = size
        mean, sd = self.kernel.compute()
        return kid_score(float(mean), float(sd), self.settings, (size, self.n_real, self.n_fake))
