"""`ganvas score`, from the command line to result.json and MLflow, on small models and images."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from mlflow.tracking import MlflowClient
from PIL import Image

from ganvas.cli import main
from ganvas.data.sources.mnist5k import Mnist5k
from ganvas.extractors.features import extract
from ganvas.extractors.mnist import MnistExtractor
from ganvas.metrics.comparison import moments_of
from ganvas.metrics.frechet import moments_distance
from ganvas.scoring import calibration
from ganvas.tracking.store import tracking_uri

from ..tiny import NARROW, project

SMALL = ["settings.is_splits=2", "settings.kid_subsets=2", "n=60", "paths.cache=cache"]
TINY = [
    "network=mlp",
    *NARROW,
    "budget.images=128",
    "score.every=null",
    "score.n=60",
    "score.settings.is_splits=2",
    "score.settings.kid_subsets=2",
    "grid.rows=2",
    "grid.columns=3",
    "tracking.system_metrics=false",
    "log.every=64",
]


@pytest.fixture(autouse=True)
def in_a_store(store):
    return store


def train(*overrides, output="run"):
    assert main(["train", *TINY, f"paths.output={output}", *overrides]) == 0
    return json.loads(open(f"{output}/result.json").read())


def score(source, *overrides, output="out"):
    code = main(["score", *([str(source)] if source else []), *SMALL, f"paths.output={output}", *overrides])
    return code, json.loads(open(f"{output}/result.json").read()) if code == 0 else None


def drawn(split):
    """200 digits of all classes: splits are sorted by class."""
    examples = Mnist5k("mnist5k", [1, 28, 28], 500, 1000).load(split)
    index = torch.randperm(len(examples), generator=torch.Generator().manual_seed(0))[:200]
    return examples.batch(index), examples.labels[index]


def digits(split="test"):
    return drawn(split)[0]


FD = "score/mnist/fd"


def conditions(found):
    return found["protocols"][FD]["conditions"]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Digits in a file, and fewer of them in folders of pictures."""
    folder = tmp_path_factory.mktemp("written")
    np.savez(folder / "fakes.npz", images=digits("val")[:, 0].numpy())
    for name, side in {"samples": "val", "photos": "test"}.items():
        (folder / name).mkdir()
        for i, image in enumerate(digits(side)[:60]):
            Image.fromarray(image[0].numpy()).save(folder / name / f"{i:03}.png")
    return folder


@pytest.fixture
def images(written, tmp_path):
    """A copy of the digits in the working folder."""
    return shutil.copytree(written, tmp_path, dirs_exist_ok=True)


@pytest.fixture(scope="module")
def project_of_a_vae(tmp_path_factory, template):
    """A folder in which a VAE was trained, and what its training ended with."""
    folder = tmp_path_factory.mktemp("vae")
    with project(folder, template):
        return folder, train("model=vae")


@pytest.fixture
def vae(project_of_a_vae, monkeypatch):
    """What a training of a VAE ended with, in its folder; each test scores it by settings of its own."""
    folder, trained = project_of_a_vae
    monkeypatch.chdir(folder)
    return trained


def test_a_run_scores_as_it_did_in_training_and_the_run_gets_the_scores(vae, capsys):
    trained, client = vae, MlflowClient(tracking_uri())
    _, other = score(trained["run_id"], "metrics=[fd]", "n=50")
    tags = client.get_run(trained["run_id"]).data.tags
    assert tags[f"ganvas.protocol.{FD}"] == other["fingerprints"][FD] != trained["fingerprints"][FD]
    assert tags["ganvas.protocol.score/mnist/kid"] == trained["fingerprints"]["score/mnist/kid"]
    code, found = score(trained["run_id"])
    assert code == 0
    assert found["scores"].keys() == trained["scores"].keys()
    for key, value in trained["scores"].items():
        assert found["scores"][key]["value"] == pytest.approx(value["value"], rel=1e-5), key
    assert found["fingerprints"] == trained["fingerprints"] and len(set(found["fingerprints"].values())) == 4
    said = capsys.readouterr().out
    assert "floor" in said and "ceiling" in said and found["fingerprints"][FD] in said
    key = "score/mnist/fd"
    floor, ceiling = (found["calibration"][side][key] for side in ("floor", "ceiling"))
    assert 0 < floor < found["scores"][key]["value"] and ceiling > floor
    history = client.get_metric_history(trained["run_id"], key)
    assert len(history) == 3 and {m.step for m in history} == {128}
    run = client.get_run(trained["run_id"])
    assert run.info.status == "FINISHED" and run.data.tags[f"ganvas.protocol.{key}"] == found["fingerprints"][key]
    assert [f.path for f in client.list_artifacts(run.info.run_id, "scores")] == ["scores/result.json"]


def test_likelihood_and_memorisation_of_a_vae(vae):
    trained = vae
    names = "metrics=[nll,elbo,active_units,memorisation,parzen,prdc,fd_infinity]"
    few = ["likelihood.k=20", "likelihood.chunk=7", "likelihood.n=40", "parzen.samples=60"]
    code, found = score("run", names, *few)
    assert code == 0
    scores = {key: s["value"] for key, s in found["scores"].items()}
    assert {f"score/mnist/{m}" for m in ("precision", "recall", "density", "coverage", "fd_infinity")} <= scores.keys()
    nll = np.load("out/nll.npz")
    assert scores["score/likelihood/nll"] == pytest.approx(-nll["importance"].mean())
    assert nll["importance"].shape == (40,) and (nll["importance"] >= nll["elbo"]).all()
    assert scores["score/likelihood/nll"] < -nll["elbo"].mean()
    low, high = found["scores"]["score/likelihood/nll"]["interval"]
    assert (high - low) / 2 == pytest.approx(nll["importance"].std(ddof=1) / 40**0.5)
    stated = found["protocols"]["score/likelihood/nll"]["conditions"]
    assert stated["settings"] == {"likelihood.k": 20} and (stated["n"], stated["seed"]) == (40, 1000)
    assert stated["transform"] == {"name": "DynamicBinarisation"}
    assert len(set(found["fingerprints"].values())) >= 4
    assert found["calibration"]["floor"]["score/parzen/log_likelihood"] > scores["score/parzen/log_likelihood"]
    assert {"memorisation_close", "active_units"} <= found["findings"].keys()
    assert Image.open("out/memorisation.png").size[0] > 28 * 8
    # A checkpoint that no run is known of is scored and logged nowhere.
    assert len(MlflowClient(tracking_uri()).get_metric_history(trained["run_id"], "score/mnist/precision")) == 0


def test_a_model_that_copies_is_warned_of(images):
    np.savez("copies.npz", images=digits("train")[:, 0].numpy())
    code, found = score("copies.npz", "reference=mnist5k", "metrics=[memorisation]")
    assert code == 0 and found["scores"]["score/mnist/memorisation_close"]["value"] == 1.0
    assert found["findings"]["memorisation_close"]["state"] == "warn"
    code, found = score("fakes.npz", "reference=mnist5k", "metrics=[memorisation]")
    assert found["findings"]["memorisation_close"]["state"] == "ok"


def test_copies_and_new_images_by_the_metrics_that_tell_them_apart(images):
    np.savez("copies.npz", images=digits("train")[:, 0].numpy())
    names = ("c_t", "mifid", "mifid_distance", "fld")
    both = {}
    for source in ("copies", "fakes"):
        code, found = score(f"{source}.npz", "reference=mnist5k", "metrics=[c_t,mifid,fld]", "settings.fld_centres=50")
        assert code == 0
        keys = [f"score/mnist/{name}" for name in names]
        assert all(found["scores"][key]["interval"] for key in keys)
        both[source] = [found["scores"][key]["value"] for key in keys]
        for side in ("floor", "ceiling"):
            assert all(np.isfinite(found["calibration"][side][key]) for key in keys)
    (c_t, mifid, distance, fld), (new_c_t, new_mifid, new_distance, new_fld) = both["copies"], both["fakes"]
    assert c_t < -5 < -3 < new_c_t < 3 and distance < 1e-6 < new_distance
    assert mifid > 100 * new_mifid and fld > new_fld + 10
    floor, ceiling = (dict(found["calibration"][side]) for side in ("floor", "ceiling"))
    assert abs(floor["score/mnist/c_t"]) < 3 < ceiling["score/mnist/c_t"]
    assert floor["score/mnist/fld"] == 0 < ceiling["score/mnist/fld"]
    assert floor["score/mnist/mifid"] < ceiling["score/mnist/mifid"]
    stated = found["protocols"]["score/mnist/c_t"]["conditions"]
    assert stated["n_fake"] == 200 and stated["settings"]["c_t_cells"] == 3 and len(stated["train"]) == 64


def test_the_younger_relatives_of_precision_and_recall_stand_beside_their_calibration(images):
    names = ("p_precision", "p_recall", "alpha_precision", "beta_recall", "topp_precision", "topp_recall", "topp_f1")
    groups = "metrics=[rarity,p_precision,p_recall,alpha_precision,beta_recall,topp_r]"
    code, found = score("fakes.npz", "reference=mnist5k", groups, "settings.topp_dimensions=4")
    assert code == 0 and len(found["scores"]) == 8
    floor, ceiling = (found["calibration"][side] for side in ("floor", "ceiling"))
    for key in (f"score/mnist/{name}" for name in names):
        assert ceiling[key] < found["scores"][key]["value"] and ceiling[key] < floor[key], key
        assert found["scores"][key]["interval"][0] < found["scores"][key]["value"]
    # The few noise images that lie in real balls lie in those of strange images.
    assert 0 < floor["score/mnist/rarity"] < ceiling["score/mnist/rarity"]
    assert found["scores"]["score/mnist/rarity"]["interval"]


def test_images_from_anywhere_score_alike_and_as_by_hand(images):
    extractor = MnistExtractor()
    fake, real = (extract(extractor, digits(side)[:60], 60) for side in ("val", "test"))
    truth = moments_distance(moments_of(real), moments_of(fake))
    np.savez("real.npz", images=digits("test")[:60, 0].numpy())
    np.savez("fake.npz", images=digits("val")[:60, 0].numpy())
    np.savez("moments.npz", mu=moments_of(real).mean.numpy(), sigma=moments_of(real).covariance.numpy())
    only = ["extractor=mnist", "metrics=[fd]"]
    for source, reference in [("samples", "photos"), ("fake.npz", "real.npz"), ("samples/", "moments.npz")]:
        code, found = score(source, f"reference={reference}", *only)
        assert code == 0
        assert found["scores"]["score/mnist/fd"]["value"] == pytest.approx(truth, rel=1e-6), (source, reference)
        assert conditions(found)["weights"] == "images" and conditions(found)["n_fake"] == 60


def test_a_folder_that_sample_wrote_stands_for_its_array(images):
    for side in ("val", "test"):
        (images / side).mkdir()
        np.savez(f"{side}/samples.npz", images=digits(side)[:60, 0].numpy())
        (images / side / "result.json").write_text("{}")
        Image.new("RGB", (56, 56)).save(f"{side}/grid.png")
    only = ["extractor=mnist", "metrics=[fd]"]
    _, by_folder = score("val", "reference=test", *only)
    _, by_array = score("val/samples.npz", "reference=test/samples.npz", *only)
    assert by_folder["scores"][FD]["value"] == by_array["scores"][FD]["value"]
    assert conditions(by_folder) == conditions(by_array) and conditions(by_folder)["n_fake"] == 60


def test_a_cached_reference_gives_the_identical_numbers(images, monkeypatch):
    _, first = score("fakes.npz", "reference=mnist5k", output="first")
    seen, forward = [], MnistExtractor.extract
    monkeypatch.setattr(MnistExtractor, "extract", lambda self, x: (seen.append(len(x)), forward(self, x))[1])
    _, again = score("fakes.npz", "reference=mnist5k", output="again")
    assert sum(seen) == 200  # the fakes alone
    assert {k: v for k, v in first.items() if k != "output"} == {k: v for k, v in again.items() if k != "output"}


def test_calibration_rows_are_computed_once_and_belong_to_their_settings(images, monkeypatch):
    asked, original = [], calibration.ceiling
    monkeypatch.setattr(calibration, "ceiling", lambda *a: (asked.append(a[2:]), original(*a))[1])
    _, first = score("fakes.npz", "reference=mnist5k", "metrics=[fd,prdc]")
    _, again = score("fakes.npz", "reference=mnist5k", "metrics=[fd,prdc]")
    assert len(asked) == 1 and first["calibration"] == again["calibration"]
    for change in ("metrics=[fd]", "settings.dc_neighbours=4", "settings.seed=1", "ceiling=one_mode", "split=val"):
        before = len(asked)
        score("fakes.npz", "reference=mnist5k", "metrics=[fd,prdc]", change)
        assert len(asked) == before + 1, change


def test_a_damaged_cache_is_said_and_computed_again(images):
    _, first = score("fakes.npz", "reference=mnist5k", "metrics=[fd,prdc]")
    for path in images.glob("cache/*.safetensors"):
        content = bytearray(path.read_bytes())
        content[-1] ^= 4
        path.write_bytes(content)
    with pytest.warns(UserWarning, match="cache file .* is damaged"):
        _, again = score("fakes.npz", "reference=mnist5k", "metrics=[fd,prdc]")
    assert again == first


@pytest.mark.filterwarnings("ignore:.*copies or more")
def test_one_mode_is_a_ceiling_of_real_images_of_one_class(images):
    metrics = "metrics=[fd,precision,recall]"
    _, noise = score("fakes.npz", "reference=mnist5k", metrics)
    _, mode = score("fakes.npz", "reference=mnist5k", metrics, "ceiling=one_mode")
    a, b = noise["calibration"], mode["calibration"]
    assert a["of"]["ceiling"] == "200 of uniform noise" and b["of"]["ceiling"].startswith("200 of class ")
    assert a["floor"] == b["floor"]
    assert a["floor"]["score/mnist/fd"] * 5 < b["ceiling"]["score/mnist/fd"] < a["ceiling"]["score/mnist/fd"]
    assert b["ceiling"]["score/mnist/precision"] > 0.5 > b["ceiling"]["score/mnist/recall"]
    assert a["ceiling"]["score/mnist/precision"] < b["ceiling"]["score/mnist/precision"]


def test_a_data_set_takes_its_own_keys(images):
    np.savez("real.npz", images=digits("test")[:, 0].numpy())
    _, whole = score("fakes.npz", "reference=real.npz", "extractor=mnist", "metrics=[fd]")
    _, part = score(
        "fakes.npz", "reference=npz", "data.path=real.npz", "data.test=80", "extractor=mnist", "metrics=[fd]"
    )
    assert (conditions(whole)["n_real"], conditions(part)["n_real"]) == (200, 80)
    assert conditions(part)["split"] == "test"
    _, fewer = score("fakes.npz", "reference=mnist5k", "data.test=700", "metrics=[fd]")
    assert conditions(fewer)["n_real"] == 700


def test_exported_statistics_score_as_the_images_do(images):
    _, direct = score("fakes.npz", "reference=mnist5k", "metrics=[fd]", "export_reference=beside.npz")
    code, exported = score("", "reference=mnist5k", "export_reference=alone.npz")
    assert code == 0 and exported["exported"].endswith("alone.npz")
    for path in ("beside.npz", "alone.npz"):
        _, found = score("fakes.npz", f"reference={path}", "extractor=mnist", "metrics=[fd]")
        key = "score/mnist/fd"
        assert found["scores"][key]["value"] == pytest.approx(direct["scores"][key]["value"], rel=1e-10)
        assert conditions(found)["n_real"] == 1000
        with np.load(path) as file:  # as pytorch-fid does
            assert file["mu"][:].shape == (128,) and file["sigma"][:].shape == (128, 128)
            assert str(file["images"]) == conditions(direct)["reference_fingerprint"]


def test_exported_features_score_as_the_images_do(images):
    asked = "metrics=[fd,kid,prdc]"
    _, direct = score("fakes.npz", "reference=mnist5k", asked, "calibration=false", "export_reference=x_kid.npz")
    score("", "reference=mnist5k", "export_reference=x.pkl", "export_format=stylegan")
    prints = set()
    for path in ("x_kid.npz", "x.pkl"):
        code, found = score("fakes.npz", f"reference={path}", "extractor=mnist", asked)
        assert code == 0 and found["scores"] == direct["scores"] and found["calibration"] == direct["calibration"]
        prints.add(conditions(found)["reference_fingerprint"])
        assert conditions(found)["n_real"] == 1000
    assert len(prints) == 1 and conditions(direct)["reference_fingerprint"] not in prints


def test_points_are_scored_by_their_modes():
    train("model=gan", "data=ring")
    _, mode = score("run", "ceiling=one_mode")
    ceiling = mode["calibration"]["ceiling"]
    assert ceiling["score/modes/covered"] == 1 and ceiling["score/modes/high_quality"] > 0.9
    assert ceiling["score/modes/reverse_kl"] == pytest.approx(np.log(8))
    code, found = score("run")
    assert found["calibration"]["ceiling"]["score/modes/high_quality"] < 0.2
    assert code == 0 and len(set(found["fingerprints"].values())) == 1
    assert found["calibration"]["floor"]["score/modes/covered"] == 8
    assert 0 <= found["scores"]["score/modes/high_quality"]["value"] < 0.9


def test_stacked_digits_are_scored_by_their_modes():
    images, labels = drawn("test")
    stacked = images[:198].reshape(66, 3, 28, 28).permute(0, 2, 3, 1)
    truth = len({tuple(triple) for triple in labels[:198].reshape(66, 3).tolist()})
    np.savez("stacked.npz", images=stacked.numpy())
    code, found = score("stacked.npz", "reference=stacked.npz", "extractor=none", "metrics=[stacked_modes]")
    assert code == 0 and found["scores"]["score/stacked/modes"]["value"] == pytest.approx(truth, abs=1)
    floor = found["calibration"]["floor"]["score/stacked/kl"]
    assert found["scores"]["score/stacked/kl"]["value"] == pytest.approx(floor, abs=0.1)


def test_an_autoencoder_without_a_bound_has_samples_and_no_likelihood(capsys):
    trained = train("model=vae", "objective=wae_mmd")
    assert trained["scores"] and not any("likelihood" in key for key in trained["scores"])
    run = MlflowClient(tracking_uri()).get_run(trained["run_id"])
    logged = {key.removeprefix("train/") for key in run.data.metrics if key.startswith("train/")}
    assert {"total", "reconstruction", "mmd"} <= logged and not {"elbo", "kl", "bound"} & logged
    code, found = score("run")
    assert code == 0 and found["scores"].keys() == trained["scores"].keys()
    for metric in ("elbo", "nll", "active_units"):
        capsys.readouterr()
        assert score("run", f"metrics=[{metric}]")[0] == 2
        assert f"{metric} needs a VAE with a bound on the evidence, and " in capsys.readouterr().err


BAD = {
    "fakes.npz extractor=mnist": "no reference for the images fakes.npz; write reference=DATASET",
    "fakes.npz reference=photos": "no extractor for fakes.npz; write extractor=inception",
    "fakes.npz reference=mnst5k": "and there is no file or folder",
    "fakes.npz reference=mnist5k metrics=[fdd]": "metrics: fdd is unknown; did you mean fd?",
    "fakes.npz reference=mnist5k metrics=[fid]": "use 'fd'",
    "fakes.npz reference=mnist5k metrics=[nll]": "metrics: nll needs a VAE",
    "fakes.npz reference=mnist5k metrics=[modes]": "modes needs a mixture of Gaussians",
    "fakes.npz reference=mnist5k split=vall": "split=vall: mnist5k has the splits train, val, test",
    "fakes.npz reference=photos extractor=mnist metrics=[memorisation]": "memorisation needs train images",
    "fakes.npz reference=colour.npz extractor=mnist": "images of 1 channels against 3 of the reference colour.npz",
    "colour.npz reference=mnist5k": "colour.npz: images of 3 channels against 1 of the reference mnist5k",
    "equal.npz reference=mnist5k": "equal.npz: all 60 images have equal features",
    "fakes.npz reference=equal.npz extractor=mnist": "equal.npz: all 60 images have equal features",
    "one.npz reference=mnist5k": "got 1",
    "fakes.npz reference=one.npz extractor=mnist": "got 1",
    "fakes.npz reference=float.npz extractor=mnist": "images of type float32, expected uint8",
    "fakes.npz reference=torn extractor=mnist": "torn.png",
    "fakes.npz reference=empty extractor=mnist": "no image in it",
    "fakes.npz reference=mixed extractor=mnist": "images of different sizes",
    "fakes.npz reference=photos extractor=inception metrics=[fid]": "expected SHA-256 6726825d",
    "fakes.npz reference=mnist5k ceiling=modes": "ceiling=modes: expected noise or one_mode",
    "fakes.npz reference=photos extractor=mnist ceiling=one_mode": "ceiling=one_mode needs classes",
    "fakes.npz reference=mnist5k settings.kid_subset=3": "no metric has 'kid_subset'; did you mean kid_subsets?",
    "fakes.npz reference=mnist5k likelihood.k=many": "likelihood.k: expected a whole number, got 'many'",
    "fakes.npz reference=mnist5k parzen=7": "parzen=7: expected settings by name; write parzen.NAME=VALUE",
    "fakes.npz reference=mnist5k data.vall=3": "data.vall: mnist5k has no such key; did you mean val?",
    "fakes.npz reference=photos data.size=3": "reference=photos takes no data keys",
    "fakes.npz reference=npz": "reference=npz needs data.path=PATH",
    "export_reference=x.npz": "no reference for the export",
    "fakes.npz reference=mnist5k export_format=edm2": "export_format=edm2: write export_reference=FILE too",
    "export_reference=x.npz reference=ring": "needs an extractor and images, reference=ring lacks one of them",
    "export_reference=x.txt reference=mnist5k": "export_reference=x.txt: expected a file that ends with .npz or .pt",
    "export_reference=x.pkl reference=mnist5k": "export_format=edm2 knows inception",
    "export_reference=x.npz export_format=clean reference=mnist5k": "export_format=clean is unknown",
    "float.npz reference=mnist5k": "images of type float32, expected uint8",
    "nowhere reference=mnist5k": "'nowhere' is neither a checkpoint nor a run",
    "empty reference=mnist5k": "no image in it",
    "mixed reference=mnist5k": "images of different sizes",
    "torn reference=mnist5k": "torn.png",
    "reference=mnist5k": "no SOURCE",
    "fakes.npz metrcs=[fd]": "metrcs is not a key of the config; did you mean metrics?",
}


@pytest.fixture(scope="module")
def bad(written, tmp_path_factory, template):
    """Images that cannot be scored, beside those that can, and other weights at the place of Inception's."""
    folder = shutil.copytree(written, tmp_path_factory.mktemp("bad"), dirs_exist_ok=True)
    shutil.copy(template, folder / "mlflow.db")
    (folder / "hub/hub/checkpoints").mkdir(parents=True)
    (folder / "hub/hub/checkpoints/weights-inception-2015-12-05-6726825d.pth").write_bytes(b"other weights")
    np.savez(folder / "equal.npz", images=np.repeat(digits()[:1, 0].numpy(), 60, axis=0))
    np.savez(folder / "colour.npz", images=np.zeros((60, 28, 28, 3), np.uint8))
    np.savez(folder / "one.npz", images=digits()[:1, 0].numpy())
    np.savez(folder / "float.npz", images=np.zeros((60, 28, 28), np.float32))
    for name in ("empty", "mixed", "torn"):
        (folder / name).mkdir()
    for size in (8, 9):
        Image.new("L", (size, size)).save(folder / "mixed" / f"{size}.png")
    (folder / "torn" / "torn.png").write_bytes((folder / "photos" / "003.png").read_bytes()[:60])
    return folder


@pytest.mark.parametrize("line", BAD)
def test_bad_input_is_one_message_and_exit_code_2(line, bad, capsys, monkeypatch):
    monkeypatch.chdir(bad)
    monkeypatch.setenv("TORCH_HOME", str(bad / "hub"))
    source, *overrides = line.split() if not line.startswith("export") else ("", *line.split())
    assert score(source, *overrides)[0] == 2
    said = capsys.readouterr().err
    assert BAD[line] in said and "Traceback" not in said
    assert len([text for text in said.splitlines() if text.startswith("ganvas: ")]) == 1


def test_the_settings_are_those_of_training():
    from hydra import compose, initialize_config_module

    from ganvas.scoring.settings import settings_from

    with initialize_config_module("ganvas.conf", version_base="1.3"):
        scored, trained = compose("score"), compose("train")
    assert dict(settings_from(scored)) == dict(settings_from(trained.score))
    assert (scored.n, scored.seed) == (trained.score.n, trained.score.seed)


BOTH = "extractor=[mnist,random]"


def test_several_extractors_score_as_each_does_alone(images, capsys):
    line, small = ["samples", "reference=photos"], "extractor.random.size=16"
    both = score(*line, BOTH, small, "metrics=[fd,kid,is]", "paths.cache=both", output="both")[1]
    mnist = score(*line, "extractor=mnist", "metrics=[fd,kid,is]", output="mnist")[1]
    random = score(*line, "extractor=random", "extractor.size=16", "metrics=[fd,kid]", output="random")[1]
    for part in ("scores", "protocols"):
        assert both[part] == mnist[part] | random[part]
    assert both["calibration"]["ceiling"] == mnist["calibration"]["ceiling"] | random["calibration"]["ceiling"]
    for refused, said in (("export_reference=a.npz", "one extractor, got"), ("metrics=[fid]", "can compute fid")):
        capsys.readouterr()
        assert score(*line, BOTH, small, refused)[0] == 2
        assert said in capsys.readouterr().err


def test_a_run_on_several_extractors_is_scored_in_training_at_its_end_and_afterwards():
    trained = train("model=gan", BOTH, "extractor.random.size=8", "score.every=64", "score.n_during=40")
    run = MlflowClient(tracking_uri()).get_run(trained["run_id"])
    assert {f"score/{kind}/{name}" for kind in ("mnist", "random") for name in ("fd", "kid")} <= set(trained["scores"])
    assert {"val/mnist/fd", "val/random/fd", "val/random/kid", "best/mnist/fd"} <= set(run.data.metrics)
    assert run.data.params["extractor"] == "[mnist,random]"
    assert BOTH in run.data.tags["ganvas.overrides"] and "@extractor" not in run.data.tags["ganvas.overrides"]
    again = score(trained["run_id"], "metrics=[fd]")[1]  # by the extractors of the recorded config
    for kind in ("mnist", "random"):
        assert again["scores"][f"score/{kind}/fd"] == trained["scores"][f"score/{kind}/fd"]
        assert again["fingerprints"][f"score/{kind}/fd"] == trained["fingerprints"][f"score/{kind}/fd"]
