"""Streamed scores agree with the final ones and leave training alone."""

import subprocess
import sys
from typing import final

import pytest
import torch

from ganvas.extractors.base import Extractor
from ganvas.extractors.features import extract
from ganvas.metrics.registry import scores, standard_metrics
from ganvas.scoring.streaming import StreamingScores


@pytest.fixture
def sides(digits):
    """Real digits, and fakes that are digits under noise."""
    images = digits[0]
    noise = torch.randn(images[:1000].shape, generator=torch.Generator().manual_seed(0))
    return images[:1200], (images[1200:2200] + 60 * noise).clamp(0, 255).to(torch.uint8)


def stream(extractor, settings, real, fake, batch=256):
    streamed = StreamingScores(extractor, settings)
    for side, images in ((True, real), (False, fake)):
        for x in images.split(batch):
            streamed.update(x, real=side)
    return streamed


def test_agrees_with_the_final_scores(mnist_extractor, settings, sides):
    settings = settings.replace(is_splits=10, kid_subsets=50, kid_subset_size=300)
    final_scores = scores(*(extract(mnist_extractor, x, 500) for x in sides), standard_metrics("mnist"), settings)
    streamed = stream(mnist_extractor, settings, *sides).compute()
    assert list(streamed) == list(final_scores)
    fd, inception, kid = ((streamed[k], final_scores[k]) for k in final_scores)
    # Same features, same formula: rounding only.
    assert fd[0].value == pytest.approx(fd[1].value, rel=1e-4)
    # Other shuffles: within the standard error of the mean over splits and over subsets.
    assert inception[0].value == pytest.approx(inception[1].value, rel=0.01)
    assert kid[0].value == pytest.approx(kid[1].value, abs=4 * kid[1].sd / 50**0.5)
    assert [s[0].sd_over for s in (inception, kid)] == [s[1].sd_over for s in (inception, kid)]
    # The error of a Fréchet distance needs the features, which streaming does not keep.
    assert fd[0].sd is None and fd[1].sd > 0


def test_is_exact_where_no_shuffle_matters(mnist_extractor, settings, sides):
    """One split, and subsets that are the whole side: nothing random is left in the values."""
    real, fake = sides[0][:600], sides[1][:600]
    settings = settings.replace(is_splits=1, kid_subsets=1, kid_subset_size=600, seed=0)
    names = standard_metrics("mnist")
    final_scores = scores(*(extract(mnist_extractor, x, 500) for x in (real, fake)), names, settings)
    for name, score in stream(mnist_extractor, settings, real, fake).compute().items():
        assert score.value == pytest.approx(final_scores[name].value, rel=1e-4), name
    assert score.sd is None, "one subset of everything says nothing about uncertainty"


def test_standard_deviation_is_that_of_the_final_scores(mnist_extractor, settings, sides):
    """Over splits both are population deviations; torchmetrics alone would be sqrt(10 / 9) of it."""
    settings = settings.replace(is_splits=2, kid_subsets=1, kid_subset_size=10, seed=0)
    streamed = stream(mnist_extractor, settings, *sides)
    score = streamed.compute()["score/mnist/is"]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        # The draws come in the order fd (none), is, kid.
        logits = extract(mnist_extractor, sides[1], 256).logits[torch.randperm(1000)].double()
    halves = []
    for part in logits.chunk(2):
        p = part.softmax(1)
        halves.append((p * (p.log() - p.mean(0).log())).sum(1).mean().exp())
    assert score.sd == pytest.approx(torch.stack(halves).std(correction=0).item(), rel=1e-2)


def test_random_state_is_untouched_and_not_read(mnist_extractor, settings, sides):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = stream(mnist_extractor, settings, *sides).compute()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    assert stream(mnist_extractor, settings, *sides).compute() == first


def test_real_side_is_kept_and_fakes_are_forgotten(mnist_extractor, settings, sides):
    real, fake = sides
    streamed = stream(mnist_extractor, settings, real, fake)
    first = streamed.compute()
    streamed.reset()
    assert (streamed.n_real, streamed.n_fake) == (1200, 0)
    for x in real[:700].split(100):
        streamed.update(x, real=False)
    better = streamed.compute()
    assert better["score/mnist/fd"].value < first["score/mnist/fd"].value / 2
    assert better["score/mnist/kid"].value < first["score/mnist/kid"].value / 2
    streamed.reset()
    for x in fake.split(256):
        streamed.update(x, real=False)
    assert streamed.compute() == first


def test_one_forward_a_batch(digits, settings, mnist_extractor):
    calls = []
    handle = mnist_extractor.model.register_forward_hook(lambda *_: calls.append(1))
    stream(mnist_extractor, settings, digits[0][:200], digits[0][200:300], batch=50)
    handle.remove()
    assert len(calls) == 6


def test_works_inside_a_training_step(mnist_extractor, settings, sides):
    streamed = stream(mnist_extractor, settings, *sides)
    assert not any(x.is_inference() for x in streamed.kernel.real_features)
    assert not any(p.requires_grad for p in streamed.parameters())
    streamed.train()
    assert not streamed.extractor.training


@final
class Pixels(Extractor):
    """No classifier: the features are the pixels."""

    name, weights_hash, preprocessing, num_features, num_classes = "pixels", "0" * 64, "none", 16, None

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor(1 / 255), requires_grad=False)

    def check(self, images):
        pass

    def extract(self, images):
        return images.flatten(1) * self.scale, None


def test_without_logits_there_is_no_inception_score(settings):
    g = torch.Generator().manual_seed(0)
    real, fake = (torch.randint(0, 256, (50, 1, 4, 4), dtype=torch.uint8, generator=g) for _ in range(2))
    found = stream(Pixels(), settings, real, fake).compute()
    assert list(found) == ["score/pixels/fd", "score/pixels/kid"]
    final_scores = scores(*(extract(Pixels(), x, 20) for x in (real, fake)), ["fd"], settings)
    assert found["score/pixels/fd"].value == pytest.approx(final_scores["score/pixels/fd"].value, rel=1e-6)


@pytest.mark.parametrize(("n_real", "n_fake"), [(1, 50), (50, 7), (50, 0)])
def test_too_few_images_are_refused(mnist_extractor, settings, digits, n_real, n_fake):
    streamed = stream(mnist_extractor, settings, digits[0][:n_real], digits[0][:n_fake])
    with pytest.raises(ValueError, match=rf"2 real and 8 generated .*got {n_real} and {n_fake}; update"):
        streamed.compute()


TWO = """
import sys
import torch
from ganvas.extractors.mnist import MnistExtractor
from ganvas.metrics.registry import settings_of
from ganvas.scoring.streaming import StreamingScores

folder, rank = sys.argv[1], int(sys.argv[2])
torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
given = torch.load(f"{folder}/sides.pt")
streamed = StreamingScores(MnistExtractor(), settings_of(given["settings"]))
for side, images in (("real", given["real"]), ("fake", given["fake"])):
    cut = given["cut"][side]
    for x in (images[:cut] if rank == 0 else images[cut:]).split(50):
        streamed.update(x, real=side == "real")
for _ in range(2):  # computing gathers and gives back: the second time is the same
    found = {key: (s.value, s.sd) for key, s in streamed.compute().items()}
    findings = [(v.value, v.state) for v in streamed.findings()]
own = (streamed.n_real, streamed.n_fake)
streamed.reset()
torch.save({"found": found, "findings": findings, "own": own, "left": streamed.n_fake}, f"{folder}/{rank}.pt")
torch.distributed.destroy_process_group()
"""


@pytest.mark.slow
@pytest.mark.parametrize("cut", [{"real": 151, "fake": 60}, {"real": 300, "fake": 0}])
def test_two_processes_score_as_one(mnist_extractor, settings, sides, tmp_path, cut):
    """Shares of unequal size, also an empty one, gathered over gloo."""
    real, fake = sides[0][:301], sides[1][:203]
    values = dict(settings)
    torch.save({"real": real, "fake": fake, "cut": cut, "settings": values}, tmp_path / "sides.pt")
    command = [sys.executable, "-c", TWO, str(tmp_path)]
    both = [subprocess.Popen([*command, str(rank)], stderr=subprocess.PIPE) for rank in (0, 1)]
    for process in both:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said.decode()[-2000:]
    one = stream(mnist_extractor, settings, real, fake, batch=50)
    expected, findings = one.compute(), one.findings()
    assert findings
    for rank in (0, 1):
        shared = torch.load(tmp_path / f"{rank}.pt")
        assert shared["found"].keys() == expected.keys()
        for key, (value, sd) in shared["found"].items():
            assert value == pytest.approx(expected[key].value, rel=1e-5), key
            assert sd == (None if expected[key].sd is None else pytest.approx(expected[key].sd, rel=1e-4)), key
        assert shared["findings"] == [(v.value, v.state) for v in findings]
        mine = (cut["real"], cut["fake"]) if rank == 0 else (301 - cut["real"], 203 - cut["fake"])
        assert shared["own"] == mine and shared["left"] == 0
