"""Hydra's sweep syntax to dimensions, conditions, grids and seeds."""

import optuna
import pytest
from hydra import compose, initialize_config_module
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from ganvas.config import spelled_out
from ganvas.sweeps import SweepError
from ganvas.sweeps.multirun import as_overrides
from ganvas.sweeps.space import read_space

PARSE = OverridesParser.create().parse_overrides


def space(*line, params=None, when=None, seeds=None):
    return read_space(params or {}, when or {}, seeds, line, PARSE)


@pytest.mark.parametrize(
    ("written", "distribution"),
    [
        ("a,b", CategoricalDistribution(("a", "b"))),
        ("choice(1, 5)", CategoricalDistribution(("1", "5"))),
        ("range(1, 5)", IntDistribution(1, 4)),
        ("range(1, 8, 2)", IntDistribution(1, 7, step=2)),
        ("range(0.5, 2.0, 0.5)", FloatDistribution(0.5, 1.5, step=0.5)),
        ("interval(0, 1)", FloatDistribution(0.0, 1.0)),
        ("tag(log, interval(1e-4, 1e-2))", FloatDistribution(1e-4, 1e-2, log=True)),
        ("int(interval(1, 8))", IntDistribution(1, 8)),
    ],
)
def test_hydra_s_syntax_becomes_optuna_s_distributions(written, distribution):
    assert space(f"x={written}").dimensions["x"].distribution == distribution


@pytest.mark.parametrize(
    ("written", "inside", "outside"),
    [
        ("a,b", ["a", "b"], ["c", "", "a,b"]),
        ("range(1, 8, 2)", ["1", "7"], ["2", "9", "-1", " 1", "1_0", "1.0", "x"]),
        ("range(0.5, 2.0, 0.5)", ["0.5", "1", "1.5"], ["2", "0.50", "nan"]),
        ("tag(log, interval(1e-4, 1e-2))", ["0.0001", "0.01", "0.00123457"], ["1e-4", "0.011", "inf", "${oc.env:A}"]),
    ],
)
def test_a_value_of_the_space_is_known_by_its_text(written, inside, outside):
    x = space(f"x={written}")
    assert all(x.holds({"x": text}) for text in inside) and not any(x.holds({"x": text}) for text in outside)
    assert not x.holds({}) and not x.holds({"x": inside[0], "trust": "[os]"})


def test_every_point_of_a_space_with_branches_is_in_it():
    full = space("model=gan,wgan_gp,wgan", when=WHEN)
    assert all(full.holds(values) for values, _ in full.grid())
    assert not full.holds({"model": "gan", "w": "10"}) and not full.holds({"model": "wgan_gp", "w": "11", "n": "1"})


def test_an_empty_list_of_seeds_is_refused():
    assert space("x=1,2").seeds == (1,)
    for nothing in ([], 0):
        with pytest.raises(SweepError, match="gives no seed"):
            space("x=1,2", seeds=nothing)


def test_a_range_without_an_end_in_it_lists_what_hydra_lists():
    assert [values["x"] for values, _ in space("x=range(1,8,2)").grid()] == ["1", "3", "5", "7"]
    assert [values["x"] for values, _ in space("x=range(0.5,2.0,0.5)").grid()] == ["0.5", "1", "1.5"]


def test_the_grid_is_the_product_in_the_order_of_the_line():
    found = [tuple(values.values()) for values, _ in space("a=1,2", "b=x,y", "c=7").grid()]
    assert found == [("1", "x"), ("1", "y"), ("2", "x"), ("2", "y")]
    assert space("a=1,2", "c=7").fixed == {"c": "7"}


def test_several_extractors_are_those_of_each_job():
    line = spelled_out(["extractor=[mnist,random]", "extractor.random.size=32"])
    made = space("seed=1,2", "a=1,2", *line)
    assert as_overrides(made.fixed) == line and list(made.dimensions) == ["a"]


WHEN = {"model=wgan_gp": {"n": "choice(1,5)", "w": "10"}, "model=wgan,other": {"clip": "choice(0.1,0.2)"}}


def test_conditional_parameters_exist_in_their_branch_only():
    found = [values for values, _ in space("model=gan,wgan_gp,wgan", when=WHEN).grid()]
    assert found == [
        {"model": "gan"},
        {"model": "wgan_gp", "w": "10", "n": "1"},
        {"model": "wgan_gp", "w": "10", "n": "5"},
        {"model": "wgan", "clip": "0.1"},
        {"model": "wgan", "clip": "0.2"},
    ]
    assert [v for v, _ in space("model=wgan", when=WHEN).grid()] == [{"clip": "0.1"}, {"clip": "0.2"}]


def test_a_search_asks_for_the_same_branches():
    study, made = (
        optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)),
        space("model=gan,wgan_gp", when=WHEN),
    )
    seen = set()
    for _ in range(30):
        trial = study.ask()
        values = made.suggest(trial)
        assert ("n" in values) == (values["model"] == "wgan_gp") and "clip" not in values
        assert set(trial.params) == set(values) - {"w"}
        seen.add(values["model"])
    assert seen == {"gan", "wgan_gp"}


def test_one_key_with_two_ranges_is_two_parameters():
    when = {"model=a": {"lr": "choice(1,2)"}, "model=b": {"lr": "choice(3,4)"}}
    names = {name for _, named in space("model=a,b", when=when).grid() for name in named}
    assert names == {"model", "lr where model=a", "lr where model=b"}


def test_the_line_wins_over_the_file():
    made = space("lr=1", "n=3", params={"lr": "interval(0, 1)", "k": "choice(1,2)"}, when={"m=x": {"n": "choice(1,5)"}})
    assert made.fixed == {"lr": "1", "n": "3"} and list(made.dimensions) == ["k"] and not made.branches


@pytest.mark.parametrize(
    ("line", "given", "expected"),
    [((), None, (1,)), ((), 3, (1, 2, 3)), ((), [4, 7], (4, 7)), (("seed=5",), 3, (5,)), (("seed=2,0,2",), 3, (2, 0))],
)
def test_seeds_are_of_the_configuration_and_never_searched(line, given, expected):
    made = space(*line, seeds=given)
    assert made.seeds == expected and "seed" not in made.dimensions and "seed" not in made.fixed


@pytest.mark.parametrize("line", ["x=tag(log, interval(0, 1))", "x=range(3, 3)", "seed=one", "seed=a,b"])
def test_what_cannot_be_swept_is_refused(line):
    with pytest.raises(SweepError):
        space(line)


def test_an_interval_is_no_grid():
    with pytest.raises(SweepError, match="sampler=random"):
        list(space("x=interval(0,1)").grid())


@pytest.mark.parametrize(("name", "models"), [("gan_family", {"gan", "wgan_gp"}), ("lucic_narrow", {"wgan_gp"})])
def test_shipped_sweeps_ask_for_configs_that_compose(name, models):
    line = [f"sweep={name}"] + ["model=wgan_gp"] * (name == "lucic_narrow")
    with initialize_config_module("ganvas.conf", version_base="1.3"):
        sweeper = compose("train", overrides=line, return_hydra_config=True).hydra.sweeper
        made = read_space(sweeper.params, sweeper.when, sweeper.seeds, line, PARSE)
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
        for _ in range(6):
            values = {**made.fixed, **made.suggest(study.ask())}
            cfg = compose("train", overrides=[f"{key}={value}" for key, value in values.items()])
            assert 1e-4 <= cfg.optimizer.lr <= 1e-2 and values["model"] in models
            assert ("constraint.weight" in values) == (values["model"] == "wgan_gp")
            assert name != "lucic_narrow" or (cfg.model.n_critic == 1 and cfg.optimizer.betas == [0.5, 0.999])
    assert made.seeds == ((1, 2, 3) if name == "gan_family" else (1,))


@pytest.mark.slow  # composes every point
def test_the_rescue_of_the_article_s_gan_searches_all_combinations_and_its_winner_is_one_of_them():
    line = ["experiment=article_gan", "sweep=article_rescue"]
    with initialize_config_module("ganvas.conf", version_base="1.3"):
        sweeper = compose("train", overrides=line, return_hydra_config=True).hydra.sweeper
        made = read_space(sweeper.params, sweeper.when, sweeper.seeds, line, PARSE)
        points = [[f"{key}={value}" for key, value in values.items()] for values, _ in made.grid()]
        found = [compose("train", overrides=["experiment=article_gan", *point]) for point in points]
        article, rescued = (compose("train", overrides=[f"experiment=article_gan{end}"]) for end in ("", "_rescued"))
    assert len(points) == 16 and made.seeds == (1, 2, 3)
    assert [one.constraint for one in found].count(rescued.constraint) == 4
    parts = [(one.constraint, one.optimizer, one.objective) for one in found]
    for cfg in (article, rescued):
        assert parts.count((cfg.constraint, cfg.optimizer, cfg.objective)) == 1


def test_a_key_is_logarithmic_if_one_of_its_ranges_is():
    made = space(
        "model=gan,wgan",
        "width=interval(1, 9)",
        "optimizer.lr=tag(log, interval(1e-4, 1e-2))",
        when={"model=gan": {"dim": "tag(log, int(interval(8, 64)))"}},
    )
    assert made.logarithmic() == ["dim", "optimizer.lr"]
