"""Scores of a model on its own data: codes with the factors of the same examples, made once; refusals before work."""

import numpy as np
import pytest
import torch

from ganvas.data.datamodule import DataModule
from ganvas.data.transforms import Identity
from ganvas.extractors.base import Extractor
from ganvas.metrics.mig import mig
from ganvas.metrics.registry import lower_is_better, settings_of
from ganvas.models.sampling import Sampling
from ganvas.scoring.asked import Asked
from ganvas.scoring.material import Gathered
from ganvas.scoring.measurement import Measurement
from ganvas.scoring.references import own_reference
from ganvas.scoring.subjects import ModelSubject
from ganvas.testing.model_metrics import KNOWN, Bands, vae

METRICS = ["mig", "dci", "sap", "factor_vae_score"]
SETTINGS = settings_of({"factors.n": 300, "factors.parts": 3, "factors.trees": 2, "factors.votes": 50})


class Untouched(Extractor):
    """Fails if it is asked for features."""

    name, weights_hash, preprocessing, num_features, num_classes = "untouched", "0" * 64, "", 2, None

    def check(self, images):
        raise AssertionError("the extractor was used before the refusal")

    extract = check


def subject(model=None, source=None, sampling=None):
    data = DataModule(source or Bands(), Identity(), batch_size=16, seed=0, workers=0)
    return ModelSubject("model", model or vae(0.1), lambda: data, images_seen=0, **(sampling or {}))


def measure(names, scored=None, extractor=None, output=None, settings=SETTINGS, calibration=False):
    scored = scored or subject()
    asked = Asked(settings, 50, seed=0, calibration=calibration, output=output)
    return Measurement(scored, own_reference(scored), extractor, asked, None).of(names)


def test_codes_are_the_posterior_means_of_examples_with_their_factors():
    scored = subject(vae(0.1))
    known = Gathered(scored, own_reference(scored), None, Asked(SETTINGS, 50, seed=0), None).codes("mig")
    assert known.codes.shape == (300, 4) and known.codes.dtype == np.float64 and known.factors == KNOWN
    expected = known.values * 200 / (np.array([factor.values for factor in KNOWN]) - 1) + 20
    assert known.codes[:, :3] == pytest.approx(0.1 * (expected / 127.5 - 1), abs=0.1 * 0.5 / 127.5)
    assert (known.codes[:, 3] == 0).all() and known.spreads == pytest.approx(np.full((300, 4), 1e-3))


def test_all_examples_are_taken_if_there_are_fewer_than_asked_for():
    found = measure(["mig"], settings=settings_of({"factors.n": 10_000}))
    protocol = found.protocols["score/factors/mig"].conditions
    assert protocol["n"] == 600 and protocol["settings"] == {"factors.bins": 50, "seed": 2020}
    assert found.scores["score/factors/mig"].sd_over == "5 parts of 600 test examples, model held"


def test_examples_are_encoded_once_for_all_metrics(monkeypatch):
    scored = subject()
    encoded = []
    plain = scored.model.posterior_moments
    monkeypatch.setattr(scored.model, "posterior_moments", lambda batches: encoded.append(1) or plain(batches))
    found = measure(METRICS, scored)
    assert len(encoded) == 2  # 300 examples in batches of 250
    keys = {"mig", "dci_disentanglement", "dci_completeness", "dci_informativeness", "sap", "factor_vae_score"}
    assert found.scores.keys() == {f"score/factors/{name}" for name in keys}
    assert not any(lower_is_better(key) for key in found.scores) and len(set(found.fingerprints().values())) == 4


def test_the_error_is_that_of_disjoint_parts():
    scored = subject(vae(0.1, turn=0.4))
    known = Gathered(scored, own_reference(scored), None, Asked(SETTINGS, 50, seed=0), None).codes("mig")
    parts = [mig(part, 50).scores["mig"] for part in known.parts(3, 2020)]
    found = measure(["mig"], scored).scores["score/factors/mig"]
    assert found.value == mig(known, 50).scores["mig"] and found.sd == pytest.approx(np.std(parts, ddof=1) / np.sqrt(3))


def test_the_matrix_of_each_metric_is_written_with_the_names_of_the_factors(tmp_path):
    found = measure(METRICS, output=tmp_path)
    assert [path.name for path in found.files] == [f"{name}.npz" for name in METRICS]
    for path in found.files:
        with np.load(path) as arrays:
            assert arrays["matrix"].shape == (4, 3) and arrays["factors"].tolist() == ["kind", "size", "place"]


@pytest.mark.parametrize(
    ("names", "scored", "message"),
    [
        (["kid", "mig"], lambda: subject(source=Bands(known=False)), "mig needs data whose factors are known"),
        (["kid", "prdc", "nll", "dci"], lambda: subject(source=Bands(known=False)), "dci needs data whose factors"),
    ],
)
def test_what_does_not_apply_is_refused_before_anything_is_computed(names, scored, message):
    with pytest.raises(ValueError, match=message):
        measure(names, scored(), Untouched())


def test_neither_kind_is_a_standard_score():
    scored = subject()
    asked = Asked(SETTINGS, 50, seed=0)
    assert Measurement(scored, own_reference(scored), None, asked, None).standard() == ["elbo"]


def test_options_of_sampling_are_no_conditions_of_a_score_without_samples():
    plain, cut = (subject(sampling=s) for s in (None, {"sampling": Sampling(truncation=0.5)}))
    for name in ("mig", "psnr"):
        assert measure([name], plain).fingerprints() == measure([name], cut).fingerprints()


def test_reconstructions_have_an_error_over_images_and_their_own_protocol():
    found = measure(["psnr", "ssim"], settings=settings_of({"reconstruction.n": 77}))
    for name in ("psnr", "ssim"):
        key = f"score/reconstruction/{name}"
        assert found.scores[key].sd_over == "77 test images" and found.protocols[key].conditions["n"] == 77
        assert lower_is_better(key) is False
    # every other column lacks .1 of a range of 2, so half of the pixels lack .05 of 1, but where black is clipped
    assert found.scores["score/reconstruction/psnr"].value == pytest.approx(10 * np.log10(2 / 0.05**2), abs=1.0)
    assert lower_is_better("score/reconstruction/lpips") is True


def test_exact_reconstructions_have_no_psnr():
    with pytest.raises(ValueError, match=r"psnr is infinite for \d+ of \d+ images.*write metrics=\[ssim\]"):
        measure(["psnr"], subject(ExactVAE.of(vae(0.1))))


class ExactVAE:
    """Makes a model whose reconstructions are the images."""

    @staticmethod
    def of(model):
        model.reconstruct = lambda batch: batch.x
        return model


def test_measuring_leaves_the_random_state_of_torch_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    measure([*METRICS, "psnr", "ssim"])
    assert torch.equal(before, torch.get_rng_state())
