"""Names and parameters of runs in MLflow."""

import pytest
from omegaconf import OmegaConf

from ganvas.run.naming import difference, params, short_name

GROUPS = {"model": "gan", "data": "mnist5k", "network": "mlp"}


@pytest.mark.parametrize(
    ("values", "seed", "choices", "expected"),
    [
        ({"optimizer.lr": "0.00096"}, 1, GROUPS, "lr=9.6e-4 s1 · gan mnist5k mlp"),
        ({"optimizer.lr": "0.000961234567"}, 2, {}, "lr=9.612e-4 s2"),
        ({"model": "vae", "prior.dim": "20000"}, 0, GROUPS, "vae dim=2e4 s0 · mnist5k mlp"),
        ({"constraint.weight": "0.1", "augment.weight": "10"}, None, {}, "constraint.weight=0.1 augment.weight=10"),
        ({"experiment": "demo_gan"}, 3, GROUPS, "demo_gan s3 · gan mnist5k mlp"),
    ],
)
def test_a_name_begins_with_the_difference(values, seed, choices, expected):
    assert short_name(values, seed, choices) == expected


def test_the_difference_is_what_a_sweep_varies_else_the_science_that_was_asked_for():
    line = ["model=gan", "+optimizer.lr=1e-3", "seed=2", "paths.output=o", "score.n=40", "prior.dim=3"]
    assert difference(line, None, {"model"}) == {"optimizer.lr": "1e-3", "prior.dim": "3"}
    assert difference(line, "model=gan prior.dim=3", {"model"}) == {"model": "gan", "prior.dim": "3"}


def test_parameters_are_science_and_what_was_asked_for():
    cfg = OmegaConf.create(
        {
            "seed": 1,
            "workers": 0,
            "init_from": None,
            "trust": [],
            "prior": {"_target_": "p", "dim": 64},
            "likelihood": {"_target_": "l", "sd": 1.0},
            "network": {
                "name": "mlp",
                "generator": {"_target_": "g", "latent_dim": 64, "shape": [1, 8, 8], "hidden": [8]},
                "encoder": {"_target_": "e", "hidden": [9]},
            },
            "model": {"_target_": "m", "prior": "${prior}", "generator": "${network.generator}", "n_critic": 5},
            "paths": {"data": "/secret"},
            "score": {"n": 10, "seed": 1000},
        }
    )
    found = params(
        cfg, {**GROUPS, "likelihood": "normal", "prior": "normal"}, ["score.n=10", "trust=[x]", "paths.data=/secret"]
    )
    science = {"seed": 1, "prior.dim": 64, "network.generator.hidden": [8], "model.n_critic": 5, "score.n": 10}
    assert found == GROUPS | {"prior": "normal"} | science
