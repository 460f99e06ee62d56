"""Every score of a run has a protocol of its own, from training to the report's page."""

import json

import pytest
from mlflow.tracking import MlflowClient

from ganvas.cli import main
from ganvas.tracking.store import tracking_uri

from ..tiny import NARROW, TINY, project

ELBO, FD = "score/likelihood/elbo", "score/mnist/fd"
SMALL = [o.replace("score.settings", "settings") for o in TINY if "settings" in o] + ["n=40", "paths.cache=cache"]


@pytest.fixture(autouse=True)
def in_a_store(store):
    return store


def train(name, *overrides):
    line = [*TINY, *NARROW, "study=bits", "score.every=null", f"paths.output={name}", *overrides]
    assert main(["train", *line]) == 0
    return read(name)


def report(*arguments):
    assert main(["report", "bits", *arguments, "paths.output=page"]) == 0
    return read("page")


def score(source, *overrides):
    assert main(["score", source, *SMALL, "calibration=false", "paths.output=scored", *overrides]) == 0
    return read("scored")


def read(folder):
    with open(f"{folder}/result.json") as file:
        return json.load(file)


def tags(result):
    return MlflowClient(tracking_uri()).get_run(result["run_id"]).data.tags


@pytest.mark.usefixtures("unpainted")
@pytest.mark.parametrize(
    ("first", "second", "field"),
    [
        (
            "transform=dynamic_binarisation",
            "transform=none",
            "transform.name 'DynamicBinarisation' against 'Identity'",
        ),
        pytest.param(
            *("transform=fixed_binarisation", ["transform=fixed_binarisation", "transform.seed=1"]),
            "transform.seed 0 against 1",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            *("transform=none", ["transform=none", "likelihood=gaussian", "likelihood.sigma=1.0"]),
            "space 'binary pixels' against 'density on [-1, 1]'",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_bounds_of_different_conditions_are_not_ranked_together(first, second, field, store):
    a, b = train("a", "model=vae", first), train("b", "model=vae", *([second] if isinstance(second, str) else second))
    assert a["fingerprints"][ELBO] != b["fingerprints"][ELBO] and a["fingerprints"][FD] == b["fingerprints"][FD]
    found = report(f"score={ELBO}")
    assert len(found["rankings"]) == 2 and field in found["refusal"]
    assert not any(ranking["comparisons"] for ranking in found["rankings"])
    page = (store / "page" / "report.html").read_text().replace("&#39;", "'")
    assert field in page and "carry no protocol" not in page
    assert len(report(f"score={FD}")["rankings"]) == 1


def test_every_score_that_training_logs_carries_the_fingerprint_of_its_own_protocol():
    found = train("a", "model=vae", "score.every=320")
    said = tags(found)
    named = dict(found["fingerprints"]) | {
        key.replace("score/", "best/"): f for key, f in found["fingerprints"].items()
    }
    assert {f"ganvas.protocol.{key}": digits for key, digits in named.items()}.items() <= said.items()
    assert named.keys() == found["scores"].keys() | found["best"]["scores"].keys()
    assert len(set(found["fingerprints"].values())) == 4  # ELBO, reconstruction and KL share one


@pytest.mark.slow
def test_a_new_protocol_of_the_final_scores_is_none_of_the_best_checkpoint_s():
    found = train("a", "model=gan", "score.every=320")
    again = score(found["run_id"], "n=50", "metrics=[fd]")
    best = FD.replace("score/", "best/")
    assert tags(found)[f"ganvas.protocol.{FD}"] == again["fingerprints"][FD] != found["fingerprints"][FD]
    (ranking,) = report(f"score={best}")["rankings"]
    assert ranking["fingerprint"] == found["fingerprints"][FD]
    assert ranking["protocol"]["conditions"]["n_fake"] == 40
    (ranking,) = report(f"score={FD}")["rankings"]
    assert ranking["fingerprint"] == again["fingerprints"][FD] and ranking["protocol"]["conditions"]["n_fake"] == 50


@pytest.fixture(scope="module")
def scored(tmp_path_factory, template):
    """A project with one run of the study, and the scores of that run."""
    folder = tmp_path_factory.mktemp("scored")
    with project(folder, template):
        found = train("a", "model=vae", "ema_halflife=null", "transform=none")
        few = ["likelihood.k=3", "likelihood.n=20", "parzen.samples=20", "parzen.test=20"]
        return folder, score(found["run_id"], "metrics=[memorisation,parzen,nll]", *few)


@pytest.mark.usefixtures("unpainted")
@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("mnist/memorisation_close", "extractor mnist, n_fake 40, settings.memorisation.quantile 0.01."),
        ("parzen/log_likelihood", "n_samples 20, n_validation 500, n_test 20, settings.seed 2020."),
        ("likelihood/nll", "n 20, seed 1000, transform.name Identity, space binary pixels, settings.likelihood.k 3."),
    ],
)
def test_the_page_states_the_conditions_of_every_kind_of_score(kind, told, scored, monkeypatch):
    folder, found = scored
    monkeypatch.chdir(folder)
    (ranking,) = report(f"score=score/{kind}")["rankings"]
    assert ranking["protocol"] == found["protocols"][f"score/{kind}"]
    line = (folder / "page" / "report.html").read_text().partition(f"Protocol {ranking['fingerprint']}: ")[2]
    assert line.startswith(f"raw weights, mnist5k/test; {told}")
