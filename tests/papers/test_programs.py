"""What the papers' programs compute themselves, against values known otherwise."""

import math
import re
from importlib.resources import files

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from scipy.spatial.distance import jensenshannon, pdist

from ganvas.data.sources.sprites import Sprites
from ganvas.metrics.factors import gap
from ganvas.metrics.mig import mig
from ganvas.papers.beta_tc import themselves, turned
from ganvas.papers.cifar10 import FILE, cifar10
from ganvas.papers.infogan_codes import matched
from ganvas.papers.iwae_table1 import epochs_of_stages, linear_gaussian
from ganvas.papers.little_data import Outcome, copies_with_quality
from ganvas.papers.lucic_table import MODELS, drawn
from ganvas.papers.program import Desk
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


@pytest.mark.parametrize("name", MODELS)
def test_the_narrow_search_draws_within_the_papers_ranges(name):
    """The ranges of the shipped sweep file, which states them apart; over its whole width and by the logarithm."""
    text = OmegaConf.load(files("ganvas.conf") / "sweep" / "lucic_narrow.yaml")
    written = {**text.params, **{k: v for branch in text.when.values() for k, v in branch.items()}}
    found = [dict(v.split("=") for v in drawn(MODELS[name][1], seed)) for seed in range(400)]
    for key in found[0]:
        low, high = (math.log10(float(end)) for end in re.search(r"interval\((.*?), (.*?)\)", written[key]).groups())
        logs = np.log10([float(draw[key]) for draw in found])
        width = high - low
        assert low - 1e-5 <= logs.min() < low + 0.05 * width and high - 0.05 * width < logs.max() <= high + 1e-5
        assert abs(logs.mean() - (low + high) / 2) < 0.1 * width


def test_codes_are_matched_one_to_one_so_that_most_examples_are_right():
    """Code 0 is mostly class 1, code 1 always: one of them must take another class, the one that loses less."""
    codes = torch.tensor([0] * 5 + [1] * 4 + [*range(2, 10)])
    labels = torch.tensor([1] * 3 + [0] * 2 + [1] * 4 + [*range(2, 10)])
    assert matched(codes, labels).tolist() == [0, 1, *range(2, 10)]
    labels = (3 * codes + 4) % 10
    assert torch.equal(matched(codes, labels)[codes], labels)


def test_turned_latents_keep_their_distances_and_mix_two_factors():
    """The factors of a small grid as codes; with x and y turned, only shape and size are in one latent each."""
    arguments = {"size": 8, "smallest": 0.5, "turn": 90.0, "radius": 0.2, "smooth": False, "val": 0, "test": 1000}
    counts = {"scales": 4, "rotations": 1, "xs": 12, "ys": 12}
    known = themselves(Sprites("sprites", [1, 8, 8], shapes=["square", "ellipse", "heart"], **counts, **arguments))
    assert known.codes.shape == (1000, 4) and (known.codes == known.values).all() and not known.spreads.any()
    codes = turned(known.codes)
    assert pdist(codes[:50]) == pytest.approx(pdist(known.codes[:50]))
    gaps = gap(mig(known.with_codes(codes), 50).matrix)
    assert (gaps[:2] > 1).all() and (gaps[2:] < 0.2).all()


def test_copies_with_quality_is_1_where_the_better_is_the_more_copied():
    better_is_copied = tuple(Outcome(fd, 1 / fd, 0.0) for fd in (10.0, 20.0, 40.0))
    better_is_new = tuple(Outcome(fd, fd / 100, 0.0) for fd in (10.0, 20.0, 40.0))
    assert copies_with_quality(better_is_copied) == pytest.approx(1)
    assert copies_with_quality(better_is_new) == pytest.approx(-1)
    assert copies_with_quality(tuple(Outcome(fd, 0.0, 1.0) for fd in (10.0, 20.0))) == 0


def test_cifar_10_is_the_array_file_where_there_is_one(tmp_path):
    desk = Desk(tmp_path, 1, str(tmp_path), "study", "run", "experiment")
    assert cifar10(desk, "data.source") == ["data@data.source=cifar10"]
    (tmp_path / FILE).parent.mkdir()
    (tmp_path / FILE).touch()
    assert cifar10(desk) == ["data=npz", f"data.path='{tmp_path / FILE}'", "data.test=10000"]
