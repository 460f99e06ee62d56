"""What the papers' programs compute themselves, against values known otherwise."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon

from ganvas.papers.iwae_table1 import epochs_of_stages, linear_gaussian
from ganvas.papers.wgan_figures import between, jensen_shannon, line


def test_the_divergence_of_finite_distributions_is_scipys():
    p, q = np.array([0.5, 0.25, 0.25, 0.0]), np.array([0.25, 0.0, 0.25, 0.5])
    points = torch.arange(4.0)[:, None]
    drawn = [torch.cat([points[[i]] for i in range(4) for _ in range(int(4 * share[i]))]) for share in (p, q)]
    assert jensen_shannon(*drawn) == pytest.approx(jensenshannon(p, q) ** 2)
    assert jensen_shannon(line(0.0), line(1e-3)) == pytest.approx(math.log(2))


def test_values_are_averaged_since_the_stop_before():
    assert between([1, 2, 3, 4, 5], [1.0, 2.0, 3.0, 4.0, 9.0], stops=[2, 4]) == [1.5, 3.5]


def test_the_exact_evidence_bounds_the_bound_and_the_stages_are_a_geometric_series():
    bound, exact = linear_gaussian(seed=3)
    assert abs(float((bound - exact).mean())) < 0.05 and float((bound - exact).abs().max()) > 0
    assert epochs_of_stages(5) == 121 and epochs_of_stages(8) == 3280
