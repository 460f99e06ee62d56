"""What several seeds come to, against simulated scores whose mean is known."""

import numpy as np
import pytest

from ganvas.sweeps.seeds import objective_of, seed_summary

SIMULATIONS = 2000


@pytest.mark.parametrize("n", [2, 3, 5, 10])
def test_t_interval_covers_the_truth_as_often_as_it_says(n):
    draws = np.random.default_rng(n).normal(20.0, 3.0, (SIMULATIONS, n))
    found = [seed_summary(list(map(float, row))) for row in draws]
    assert 0.93 <= np.mean([s.low <= 20.0 <= s.high for s in found]) <= 0.97


def test_one_seed_has_no_interval_and_a_score_must_be_finite():
    one = seed_summary([5.0])
    assert (one.n, one.mean) == (1, 5.0)
    assert np.isnan([one.sd, one.low, one.high]).all()
    assert np.isnan(seed_summary([]).mean)
    with pytest.raises(ValueError, match="finite"):
        seed_summary([1.0, float("nan")])


def test_the_objective_is_of_the_seeds_that_have_it():
    scores = [{"k": 1.0}, {"k": 2.0}, {"k": 6.0}, {}, {"k": float("nan")}]
    assert [objective_of(scores, "k", "minimize", how) for how in ("mean", "median", "worst")] == [3.0, 2.0, 6.0]
    assert (
        objective_of(scores, "k", "maximize", "worst") == 1.0 and objective_of(scores, "j", "minimize", "mean") is None
    )
