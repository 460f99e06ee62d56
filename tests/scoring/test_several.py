"""Scores on several extractors: those of each alone, from one pass over the images."""

import pytest
import torch
from omegaconf import OmegaConf

from ganvas.config import ConfigError
from ganvas.extractors.base import ColourExtractor
from ganvas.extractors.images import Images
from ganvas.health.finding import Finding
from ganvas.metrics.base import SAMPLES, Measured, Metric, Score
from ganvas.metrics.registry import registered, settings_of
from ganvas.scoring.asked import Asked
from ganvas.scoring.found import Found
from ganvas.scoring.measurement import Measurement
from ganvas.scoring.references import Reference
from ganvas.scoring.several import Measurements, build_extractors
from ganvas.storage.store import Store
from ganvas.testing.class_metrics import BrightestQuarter, Quarters, Samples, classes

SETTINGS = settings_of({"is_splits": 2, "kid_subsets": 2, "kid_subset_size": 20})


BRIGHTNESS = Metric(
    "brightness",
    SAMPLES,
    {"brightness": None},
    (),
    1,
    lambda material: Measured({"brightness": Score(float(material.draw().float().mean()), None, "")}),
    "mean of all pixels",
    kind="pixels",
)
"""A metric that no extractor takes part in."""


class Thumbnail(ColourExtractor):
    """Sixteen means of the image, and no logits."""

    name, weights_hash, preprocessing, num_features, num_classes = "thumbnail", "0" * 64, "none", 16, None

    def __init__(self):
        super().__init__()
        self.register_buffer("place", torch.zeros(()))

    def extract_rgb(self, images):
        self.seen = getattr(self, "seen", 0) + len(images)
        return torch.nn.functional.adaptive_avg_pool2d(images[:, 0].float(), 4).flatten(1), None


class Read(Images):
    """Images that count how often they are read."""

    def __init__(self, images):
        self.shape, self._images = images.shape, images

    def __len__(self):
        return len(self._images)

    def batches(self, start, stop, size):
        Counted.drawn += 1
        yield from self._images.batches(start, stop, size)


class Counted(Samples):
    """Samples that count how often they are drawn."""

    drawn = 0

    def images(self, n, seed):
        return Read(super().images(n, seed))


class CountedQuarters(Quarters):
    """A source whose examples count how many images are read."""

    read = 0

    def load(self, split):
        examples = super().load(split)
        batch = examples.batch

        def counting(index):
            CountedQuarters.read += len(index)
            return batch(index)

        object.__setattr__(examples, "batch", counting)
        return examples


@pytest.fixture(autouse=True)
def uncounted():
    Counted.drawn = CountedQuarters.read = 0


def asked(**options):
    return Asked(SETTINGS, n=0, seed=0, **{"calibration": True, **options})


def reference():
    return Reference("quarters", "test", source=CountedQuarters(0, True))


def together(names=None, cache=None, extractors=None, **options):
    made = Counted(classes(0), classes(0))
    return Measurements(made, reference(), extractors or pair(), asked(**options), cache).of(names)


def alone(extractor, names=None, cache=None, **options):
    made = Counted(classes(0), classes(0))
    return Measurement(made, reference(), extractor, asked(**options), cache).of(names)


def pair():
    return [BrightestQuarter(), Thumbnail()]


@pytest.mark.parametrize("cached", [False, True])
def test_scores_and_protocols_are_those_of_each_extractor_alone(cached, tmp_path):
    stores = [Store(tmp_path / name) if cached else None for name in "abc"]
    both = together(cache=stores[0])
    parts = [alone(extractor, cache=store) for extractor, store in zip(pair(), stores[1:], strict=True)]
    assert both.scores == parts[0].scores | parts[1].scores and "score/thumbnail/fd" in both.scores
    assert both.fingerprints() == parts[0].fingerprints() | parts[1].fingerprints()
    assert both.floor == parts[0].floor | parts[1].floor and both.ceiling == parts[0].ceiling | parts[1].ceiling
    if cached:
        files = [{path.name for path in store.folder.glob("*.safetensors")} for store in stores]
        assert files[0] == files[1] | files[2] and files[1].isdisjoint(files[2])


def test_features_in_files_are_those_of_each_extractor_alone(tmp_path):
    few = {"on_disk": 10, "calibration": False}
    both = together(["kid"], cache=Store(tmp_path / "both"), **few)
    parts = [alone(e, ["kid"], cache=Store(tmp_path / e.name), **few) for e in pair()]
    assert both.scores == parts[0].scores | parts[1].scores
    assert both.fingerprints() == parts[0].fingerprints() | parts[1].fingerprints()
    assert both.scores != together(["kid"], calibration=False).scores  # float16 is another protocol
    assert len(list((tmp_path / "both").glob("*.features"))) == 2


def test_samples_are_drawn_and_references_are_read_once(tmp_path):
    together(cache=Store(tmp_path / "both"))
    both = Counted.drawn, CountedQuarters.read
    Counted.drawn = CountedQuarters.read = 0
    alone(BrightestQuarter(), cache=Store(tmp_path / "alone"))  # it has more metrics, so it reads all that both read
    assert both == (Counted.drawn, CountedQuarters.read) and both[0] == 1 and both[1] > 0


def test_an_extractor_whose_reference_is_cached_does_not_look_at_it_again(tmp_path):
    cache, extractors = Store(tmp_path), pair()
    alone(Thumbnail(), cache=cache)
    together(cache=cache, extractors=extractors)
    assert extractors[1].seen == len(classes(0))  # the samples alone


def test_a_metric_is_computed_where_it_can_be():
    with registered(BRIGHTNESS):
        found = together(["is", "kid", "brightness", "label_accuracy"], calibration=False)
        Counted.drawn = 0
        assert together(["brightness"], calibration=False).scores.keys() == {"score/pixels/brightness"}
        assert Counted.drawn == 1  # it is measured once, not once for each extractor
    assert list(found.scores) == [
        "score/quarters/is",
        "score/quarters/kid",
        "score/pixels/brightness",
        "score/quarters/label_accuracy",
        "score/thumbnail/kid",
    ]
    with pytest.raises(ValueError, match=r"none of extractor=\[quarters,thumbnail\] can compute fid"):
        together(["kid", "fid"])
    with pytest.raises(ValueError, match="can compute is"):
        together(["is"], extractors=[Thumbnail(), renamed("other")])


def test_an_extractor_that_computes_nothing_looks_at_nothing():
    extractors = pair()
    together(["is"], extractors=extractors, calibration=False)
    assert not hasattr(extractors[1], "seen")


def renamed(name):
    extractor = Thumbnail()
    extractor.name = name
    return extractor


def test_files_of_an_extractor_are_in_a_folder_of_its_own(tmp_path):
    found = together(["memorisation"], output=tmp_path, calibration=False)
    places = {path.relative_to(tmp_path).parent.as_posix() for path in found.files}
    assert places == {"quarters", "thumbnail"} and all(path.exists() for path in found.files)
    assert len(found.files) == len(set(found.files))


def test_a_finding_is_that_of_the_first_extractor_and_a_note_is_said_once(monkeypatch):
    found = {
        "quarters": Found(findings=(Finding("classes", 1.0, "ok", "all"),), notes=("few", "copies")),
        "thumbnail": Found(
            findings=(Finding("classes", 0.5, "warn", "half"), Finding("other", 1.0, "ok", "yes")), notes=("few",)
        ),
    }
    monkeypatch.setattr(Measurement, "of", lambda self, names: found[self._extractor.name])
    both = together()
    assert [(finding.name, finding.reason) for finding in both.findings] == [("classes", "all"), ("other", "yes")]
    assert both.notes == ("few", "copies")


def test_extractors_are_built_from_one_node_or_from_several(tmp_path):
    cpu, mnist = torch.device("cpu"), {"_target_": "ganvas.extractors.MnistExtractor"}
    assert build_extractors(OmegaConf.create({}), cpu) == build_extractors(None, cpu) == ()
    assert [e.name for e in build_extractors(OmegaConf.create(mnist), cpu)] == ["mnist"]
    several = OmegaConf.create({"mnist": mnist, "cifar10": {"_target_": "ganvas.extractors.Cifar10Extractor"}})
    assert [e.name for e in build_extractors(several, cpu)] == ["mnist", "cifar10"]
    with pytest.raises(ConfigError, match="two are called mnist"):
        build_extractors(OmegaConf.create({"a": mnist, "b": mnist}), cpu)
