from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import pytest
from omegaconf import OmegaConf

from ganvas.config import ConfigError, build, compose, require_resolvable
from ganvas.config.arguments import fits, unfit
from ganvas.objectives import Unconstrained


@pytest.mark.parametrize(
    ("annotation", "fitting", "other"),
    [
        (int, [3, -1], [1.5, True, "3", [3], None]),
        (float, [3, 1.5, float("nan")], [True, "x", [1.0], None]),
        (bool, [True], [1, "true", None]),
        (str, ["", "x"], [3, ["x"], None]),
        (float | None, [None, 2], ["x", [None]]),
        (Sequence[int], [[], [1, 2], (1,)], [3, "12", [1.5], [[1]], None]),
        (tuple[float, float], [[0.5, 1]], [[0.5], [0.5, "x"], 0.5]),
        (tuple[int, ...], [[], [1, 2, 3]], [[1.5], 3]),
        (str | Sequence[int], ["x", [1]], [3, [[1]]]),
        (Literal["a", "b"], ["a"], ["c", 3]),
        (Callable[[int], int], ["relu", 3], [[1], {}]),
        (Mapping[str, int], [{}, {"a": 1}], []),
        (Any, [3, [1], None], []),
    ],
)
def test_plain_values_and_annotations(annotation, fitting, other):
    assert [value for value in fitting if not fits(value, annotation)] == []
    assert [value for value in other if fits(value, annotation)] == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("network.critic.init.gain=[1,2]", "network.critic.init.gain=[1, 2]: expected a number"),
        ("model.gradient_clip=[1,2]", "model.gradient_clip=[1, 2]: expected a number or null"),
        (
            "network.generator.hidden=[8,1.5]",
            "network.generator.hidden=[8, 1.5]: expected a list of whole numbers",
        ),
        (
            "network.generator._target_=3",
            "network.generator._target_=3: expected the dotted name of a class or function",
        ),
        ("model.n_critic=true", "model.n_critic=True: expected a whole number"),
    ],
)
def test_an_argument_of_another_type_is_named(given, expected):
    cfg = compose("train", ["network=mlp", given])
    assert next(unfit(cfg.model)) == expected
    with pytest.raises(ConfigError, match="expected"):
        build(cfg.model)


def free() -> Unconstrained:
    return Unconstrained()


def unannotated():
    return Unconstrained()


def test_a_function_stands_for_a_class_where_it_says_what_it_returns():
    cfg = compose("train", ["network=mlp"])
    cfg.model.constraint = {"_target_": f"{__name__}.free"}
    assert list(unfit(cfg.model)) == []
    for other in (f"{__name__}.unannotated", "os.getcwd", "os.path.join"):
        cfg.model.constraint._target_ = other
        assert ["expected a class derived from Constraint, or a function" in said for said in unfit(cfg.model)] == [
            True
        ]


def test_flags_of_hydra_that_are_none_are_bad_input():
    with pytest.raises(ConfigError, match="_partial_ flag must be a bool"):
        build(OmegaConf.create({"_target_": "ganvas.data.Identity", "_partial_": "x"}))


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("${nope}", "Interpolation key 'nope' not found"),
        ("${oc.env:NO_SUCH_VARIABLE}", "Environment variable 'NO_SUCH_VARIABLE' not found"),
        ("${nope:1}", "Unsupported interpolation type nope"),
        ("${a.b}", "Recursive interpolation"),
    ],
)
def test_an_interpolation_that_leads_nowhere_is_named(written, reason):
    cfg = OmegaConf.create({"a": {"b": written, "c": "${a.d}", "d": "???"}, "e": None})
    with pytest.raises(ConfigError, match=reason) as caught:
        require_resolvable(cfg)
    assert str(caught.value).startswith(f"a.b={written}: ")
    cfg = OmegaConf.create({"a": "${oc.decode:${b}}", "b": "${nope}"})
    with pytest.raises(ConfigError, match=r"b=\$\{nope\}: "):
        require_resolvable(cfg)
    cfg.b, cfg.e = "${e}", None
    require_resolvable(cfg)
