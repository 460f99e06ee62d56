r"""C_T, the data-copying test: are samples closer to training images than held-out images are, cell by cell?

Let :math:`d(x)` be the distance of an image to the nearest training image of its cell. In a cell with n held-out images
p and m samples q, the Mann-Whitney statistic counts the pairs in which the sample is farther away:

.. math:: U = \sum_{i, j} 1[d(q_j) > d(p_i)] + \tfrac12 1[d(q_j) = d(p_i)], \qquad
    Z = \frac{U - nm / 2 + 1 / 2}{\sqrt{nm (n + m + 1) / 12}}, \qquad C_T = \frac{\sum_c n_c Z_c}{\sum_c n_c}

over the cells with enough samples. The cells are those of k-means on the training images. Z is about standard normal if
samples are as far away as held-out images, so about 0 is best: far below 0 are copies, far above 0 are images unlike
the data. Both grow with the square root of n and m, so values at different n are not comparable.

The standard error is DeLong's, from the shares of each image's won pairs, with training images and cells held fixed:

.. math:: \operatorname{var} \frac{U}{nm} = \frac{1}{m} \operatorname{var}_j \frac{U_j}{n}
    + \frac{1}{n} \operatorname{var}_i \frac{U_i}{m}
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, final

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from ganvas.metrics.base import SAMPLES, SEED, Material, Measured, Metric, Score, Setting
from ganvas.metrics.frechet import Moments
from ganvas.metrics.nearest import nearest
from ganvas.metrics.sensible import SensibleN
from ganvas.metrics.three_sets import ThreeSets, three_sets
from ganvas.metrics.validation import require_images

COPIES: Final = -3.0
"""Below this C_T the score has a note (ours); with three cells samples that copy nothing have an sd of about 0.6."""
_STARTS: Final = 10
"""Number of starts of k-means (dgm-eval, fld: 10)."""


@final
@dataclass(frozen=True, eq=False)
class Placed:
    """Images by their cell and their distance to the training images in it.

    Args:
        cell: number of the cell.
        distance: distance to the nearest training image of the cell, in feature units.
    """

    cell: Int64[Tensor, " n"]
    distance: Float64[Tensor, " n"]

    def take(self, index: Int64[Tensor, " m"]) -> Placed:
        """Select some of the images."""
        return Placed(self.cell[index], self.distance[index])


@final
class Cells:
    """The cells of k-means on training images, in the space of their first principal components.

    Args:
        train: features of all training images.
        cells: number of cells, at least 1 and at most the number of images.
        components: number of principal components that are kept; features of fewer dimensions stay as they are.
        seed: seed of k-means.

    Raises:
        ValueError: there are fewer images than cells, or features are not finite.
    """

    def __init__(self, train: Float[Tensor, "t d"], *, cells: int, components: int, seed: int) -> None:
        from sklearn.cluster import KMeans  # its import takes seconds

        require_images(f"c_t in {cells} cells", cells, train=train)
        self._axes = _axes(train, components)
        self._train = self._project(train)
        self._means = KMeans(cells, n_init=_STARTS, random_state=seed).fit(self._train.numpy())
        self._members = torch.from_numpy(self._means.labels_).long()

    def place(self, images: Float[Tensor, "n d"]) -> Placed:
        """Find the cell of each image, and its distance to the nearest training image of this cell."""
        points = self._project(images)
        cell = torch.from_numpy(self._means.predict(points.numpy())).long()
        distance = torch.empty(len(points), dtype=torch.float64)
        for c in cell.unique():
            inside = cell == c
            distance[inside] = nearest(points[inside], self._train[self._members == c], own=None)[0]
        return Placed(cell, distance)

    def _project(self, images: Tensor) -> Float64[Tensor, "n c"]:
        return images.double() if self._axes is None else images.double() @ self._axes


def _axes(train: Tensor, components: int) -> Float64[Tensor, "d c"] | None:
    """First principal axes; the mean is not subtracted, since distances and cells do not depend on it."""
    if train.shape[1] <= components:
        return None
    return torch.linalg.eigh(Moments.of(train).covariance).eigenvectors[:, -components:].contiguous()


def c_t(held_out: Placed, fake: Placed, *, least: int) -> tuple[float, float]:
    r"""Mean of the cells' Z, weighted by the share of held-out images, and its standard error.

    .. math:: C_T = \frac{\sum_c n_c Z_c}{\sum_c n_c}

    Reference: Meehan et al. 2020, https://arxiv.org/abs/2004.05675, with the continuity correction of the authors'
    code, https://github.com/casey-meehan/data-copying; standard error: DeLong et al. 1988,
    https://doi.org/10.2307/2531595.

    Args:
        held_out: real images that the model was not trained on.
        fake: samples.
        least: a cell counts if it has more samples than this.

    Raises:
        ValueError: no cell has enough samples and a held-out image.
    """
    counted = [int(c) for c in held_out.cell.unique() if int((fake.cell == c).sum()) > least]
    if not counted:
        raise ValueError(
            f"fake: c_t expects at least {least + 1} images in a cell with held-out images, got none; score more images"
        )
    found = [_cell(held_out.distance[held_out.cell == c], fake.distance[fake.cell == c]) for c in counted]
    total = math.fsum(n for n, _, _ in found)
    mean = math.fsum(n * z for n, z, _ in found) / total
    return mean, math.hypot(*(n * error for n, _, error in found)) / total


def _cell(held_out: Tensor, fake: Tensor) -> tuple[int, float, float]:
    """Number of held-out images of a cell, its Z, and the standard error of Z."""
    n, m = len(held_out), len(fake)
    won = _share_below(held_out, fake)
    lost = _share_below(fake, held_out)
    scale = n * m / math.sqrt(n * m * (n + m + 1) / 12)
    z = scale * (float(won.mean()) - 0.5 + 0.5 / (n * m))
    return n, z, scale * math.sqrt(_spread(won) / m + _spread(lost) / n)


def _share_below(these: Tensor, x: Tensor) -> Float64[Tensor, " n"]:
    """Share of ``these`` below each value of ``x``; equal values count half."""
    ordered = these.sort().values
    ends = torch.searchsorted(ordered, x) + torch.searchsorted(ordered, x, right=True)
    return ends.double() / (2 * len(these))


def _spread(x: Tensor) -> float:
    return float(x.var()) if len(x) > 1 else 0.0


_SETTINGS = (
    Setting("c_t_cells", 3, "number of cells of k-means in c_t (dgm-eval, fld: 3)", least=1),
    Setting("c_t_components", 64, "number of principal components in c_t (dgm-eval, fld: 64)", least=1),
    Setting("c_t_least", 20, "a cell of c_t counts if it has more samples than this (the authors: 20)", least=0),
    SEED,
)


def _c_t(material: Material) -> Measured:
    sets, s = three_sets(material, "c_t"), material.settings
    _require(sets, s.c_t_least)
    cells = Cells(sets.train.values, cells=s.c_t_cells, components=s.c_t_components, seed=s.seed)
    held_out, fake = cells.place(sets.held_out.values), cells.place(sets.fake.values)
    value, error = c_t(held_out, fake, least=s.c_t_least)
    worst = cells.place(material.worst().values) if material.calibration else None
    over = f"{sets.fake.n} generated and {sets.held_out.n} held-out images, cells held"
    return Measured(
        {"c_t": Score(value, error, over)},
        floor=_known(*_halves(held_out, s.seed), s.c_t_least) if material.calibration else {},
        ceiling=_known(held_out, worst, s.c_t_least) if worst else {},
        conditions=sets.conditions,
        notes=(f"c_t is below {COPIES:g}: samples are closer to training images than held-out images are",)
        * (value < COPIES),
    )


def _require(sets: ThreeSets, least: int) -> None:
    require_images("c_t", 1, held_out=sets.held_out.values)
    require_images("c_t", least + 1, fake=sets.fake.values)


def _halves(placed: Placed, seed: int) -> tuple[Placed, Placed]:
    """Divide held-out images at random; one half stands for the samples of a perfect model."""
    order = torch.randperm(len(placed.cell), generator=torch.Generator().manual_seed(seed))
    return placed.take(order[::2]), placed.take(order[1::2])


def _known(held_out: Placed, fake: Placed, least: int) -> dict[str, float]:
    """The score of images that stand for samples; none if no cell has enough of them."""
    try:
        return {"c_t": c_t(held_out, fake, least=least)[0]}
    except ValueError:
        return {}


METRIC = Metric(
    "c_t",
    SAMPLES,
    {"c_t": None},
    _SETTINGS,
    1,
    _c_t,
    "data-copying test: about 0 is best, far below 0 samples are copies of training images, far above 0 unlike the "
    "data; the floor compares two halves of the held-out images",
    sensible_n=SensibleN(
        63,  # 21 in each of three cells
        "c_t leaves out cells of 20 samples or fewer (the authors' code), and there are three cells",
    ),
)
