"""Names, keys and the mapping from names to metrics."""

import re
from dataclasses import replace

import pytest
import torch

from ganvas.extractors.features import Features
from ganvas.metrics import comparison, neighbours
from ganvas.metrics.base import Score
from ganvas.metrics.comparison import moments_of
from ganvas.metrics.fd_infinity import fd_infinity
from ganvas.metrics.frechet import frechet_distance, frechet_error
from ganvas.metrics.inception_score import inception_score
from ganvas.metrics.kid import kernel_distance
from ganvas.metrics.registry import metrics, scores, settings_of, standard_metrics


def features(n, seed, extractor="mnist"):
    g = torch.Generator().manual_seed(seed)
    return Features(torch.randn(n, 6, generator=g), torch.randn(n, 10, generator=g), extractor, "0" * 64)


@pytest.mark.parametrize(("extractor", "frechet"), [("mnist", "fd"), ("inception", "fid"), ("dinov2", "fd")])
def test_keys_and_values(settings, extractor, frechet):
    real, fake = features(300, 0, extractor), features(200, 1, extractor)
    found = scores(real, fake, standard_metrics(extractor), settings)
    assert list(found) == [f"score/{extractor}/{name}" for name in (frechet, "is", "kid")]
    fd, inception, kid = found.values()
    error = frechet_error(moments_of(real), moments_of(fake), fake.values)
    assert fd == Score(frechet_distance(real.values, fake.values), error, "200 generated images, first order")
    mean, sd = inception_score(fake.logits, splits=4, seed=2020)
    assert inception == Score(mean, sd, "4 splits") and inception.interval == (mean - sd, mean + sd)
    mean, sd = kernel_distance(real.values, fake.values, subsets=20, size=100, seed=2020)
    assert kid == Score(mean, sd, "20 subsets of 100")


def test_no_deviation_over_subsets_that_are_all_images(settings):
    (kid,) = scores(features(90, 0), features(90, 1), ["kid"], settings).values()
    assert kid.sd is None and kid.interval is None
    (kid,) = scores(features(91, 0), features(90, 1), ["kid"], settings).values()
    assert kid.sd > 0 and kid.sd_over == "20 subsets of 90"


def test_only_what_is_asked_for(settings):
    assert list(scores(features(30, 0), features(20, 1), ["kid"], settings)) == ["score/mnist/kid"]


@pytest.mark.parametrize("name", [name for name, metric in metrics().items() if metric.from_features])
def test_every_metric_refuses_one_image(settings, name):
    extractor = {"fid": "inception", "sfid": "inception_spatial"}.get(name, "mnist")
    with pytest.raises(ValueError, match="fake: .* at least .* images, got 1"):
        scores(features(30, 0, extractor), features(1, 1, extractor), [name], settings)


@pytest.mark.parametrize(
    ("extractor", "name", "message"),
    [
        ("mnist", "fid", "'fid' means the 2015 Inception, .*use 'fd'"),
        ("inception", "fd", "use 'fid'"),
        ("inception", "sfid", "use 'fid'"),
        ("inception_spatial", "fid", "use 'sfid'"),
        ("mnist", "fdi", "unknown metric 'fdi'; expected some of fd, fid, sfid, is, kid"),
    ],
)
def test_misnamed_metrics_are_refused(settings, extractor, name, message):
    with pytest.raises(ValueError, match=message):
        scores(features(30, 0, extractor), features(30, 1, extractor), [name], settings)


PRDC = ["precision", "recall", "density", "coverage"]


def test_prdc_stands_for_four_each_once(settings):
    found = scores(features(60, 0), features(50, 1), ["recall", "prdc", "fd_infinity"], settings)
    assert list(found) == [f"score/mnist/{x}" for x in ["recall", "precision", "density", "coverage", "fd_infinity"]]
    assert all(score.sd > 0 for score in found.values())
    assert found["score/mnist/precision"].sd_over == "50 generated images, real balls held"
    assert found["score/mnist/coverage"].sd_over == "50 generated images, real balls held"


def test_neighbours_are_computed_once_for_all_four(settings, monkeypatch):
    calls, original = [], comparison.membership
    monkeypatch.setattr(comparison, "membership", lambda *a, **k: calls.append(k) or original(*a, **k))
    scores(features(60, 0), features(50, 1), PRDC, settings)
    assert [(k["prc_neighbours"], k["dc_neighbours"]) for k in calls] == [(3, 5)]


def test_radii_of_the_reference_are_computed_once_for_several_fakes(settings, monkeypatch):
    real, seen, original = features(60, 0), [], neighbours.squared_radii
    monkeypatch.setattr(neighbours, "squared_radii", lambda x, *a: seen.append(len(x)) or original(x, *a))
    first, again = (scores(real, features(50, seed), PRDC, settings) for seed in (1, 1))
    assert first == again and seen == [60, 50, 50]
    assert first == scores(features(60, 0), features(50, 1), PRDC, settings)
    other = scores(real, features(50, 1), PRDC, settings.replace(prc_neighbours=4))
    assert other != first and other == scores(
        features(60, 0), features(50, 1), PRDC, settings.replace(prc_neighbours=4)
    )


def test_the_error_of_fd_infinity_has_both_parts(settings):
    real, fake = features(60, 0), features(50, 1)
    (found,) = scores(real, fake, ["fd_infinity"], settings).values()
    value, scatter = fd_infinity(moments_of(real), fake.values, points=5, share=0.1, seed=2020)
    first_order = frechet_error(moments_of(real), moments_of(fake), fake.values)
    assert found.value == value and found.sd == pytest.approx((first_order**2 + scatter**2) ** 0.5)


def test_channels_are_compared(settings):
    real, fake = replace(features(30, 0), shape=(3, 32, 32)), replace(features(30, 1), shape=(1, 32, 32))
    with pytest.raises(ValueError, match="fake: 1 channels against 3 of the reference; convert one side"):
        scores(real, fake, ["fd"], settings)
    scores(real, replace(fake, shape=(3, 28, 28)), ["fd"], settings)


def test_standard_metrics_without_logits():
    assert standard_metrics("dinov2", logits=False) == ("fd", "kid")


@pytest.mark.filterwarnings("ignore:.*copies or more")
def test_equal_images_are_scored(settings):
    collapsed = replace(features(50, 1), values=torch.ones(50, 6))
    found = {k.rpartition("/")[2]: v for k, v in scores(features(60, 0), collapsed, ["fd", "prdc"], settings).items()}
    assert found["fd"].value > 6 and found["fd"].sd == pytest.approx(0.0, abs=1e-9)
    assert found["recall"].value == 0


def test_two_extractors_are_refused(settings):
    with pytest.raises(ValueError, match="extract both sides with one extractor"):
        scores(features(30, 0), replace(features(30, 1), weights_hash="1" * 64), ["fd"], settings)


def test_inception_score_needs_logits(settings):
    with pytest.raises(ValueError, match="'is' needs class logits, extractor 'mnist' has none"):
        scores(features(30, 0), replace(features(30, 1), logits=None), ["is"], settings)


LEAST = {
    "is_splits": 1,
    "kid_subsets": 1,
    "kid_subset_size": 2,
    "prc_neighbours": 1,
    "dc_neighbours": 1,
    "fd_infinity_points": 3,
    "seed": 0,
}


@pytest.mark.parametrize("field", LEAST)
def test_settings_are_checked(field):
    settings_of({**LEAST, "fd_infinity_share": 0.5})
    with pytest.raises(ValueError, match=f"{field}: expected at least {LEAST[field]}, got"):
        settings_of({**LEAST, field: LEAST[field] - 1})


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"likelihood.k": "abc"}, "likelihood.k: expected a whole number, got 'abc'; as shipped it is 5000"),
        ({"likelihood.k": None}, "likelihood.k: expected a whole number, got None"),
        ({"kid_subsets": 2.5}, "kid_subsets: expected a whole number, got 2.5"),
        ({"kid_subsets": True}, "kid_subsets: expected a whole number, got True"),
        ({"likelihood.n": "all"}, "likelihood.n: expected a whole number, got 'all'; as shipped it is None"),
        ({"likelihood.n": 0}, "likelihood.n: expected at least 1, got 0"),
        ({"memorisation.quantile": "few"}, "memorisation.quantile: expected a number, got 'few'"),
        ({"parzen.sigmas": [0.1, "a"]}, "parzen.sigmas: expected a list of numbers"),
        ({"kid_subset": 3}, "no metric has 'kid_subset'; did you mean kid_subsets? There are seed, "),
    ],
)
def test_settings_of_another_kind_are_refused_by_name(stated, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        settings_of(stated)


def test_what_is_not_stated_has_the_shipped_value():
    shipped, stated = settings_of({}), settings_of({"likelihood.n": 7, "parzen.sigmas": [1], "kid_subsets": 3})
    assert (stated["likelihood.n"], stated["parzen.sigmas"], stated.kid_subsets) == (7, [1], 3)
    assert {name for name in shipped if shipped[name] != stated[name]} == {
        "likelihood.n",
        "parzen.sigmas",
        "kid_subsets",
    }


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_share_is_checked(share):
    with pytest.raises(ValueError, match=r"fd_infinity_share: expected a share in \(0, 1\)"):
        settings_of({**LEAST, "fd_infinity_share": share})
