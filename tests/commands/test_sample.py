"""`ganvas sample`, from the command line to the array, the picture and result.json."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats

from ganvas.cli import main
from ganvas.commands import sample
from ganvas.data import Mnist5k
from ganvas.data.datamodule import DataModule
from ganvas.latents.priors import Normal, Uniform
from ganvas.models.by_class import across_classes, rows_of_classes
from ganvas.scoring.subjects import open_subject
from ganvas.types import Batch, to_uint8

from ..tiny import NARROW, TINY, project


@pytest.fixture(scope="module")
def runs(tmp_path_factory, template):
    """A GAN, a VAE, a GAN of points and a conditional GAN, trained for a few steps."""
    folder = tmp_path_factory.mktemp("runs")
    lines = {"gan": ["model=gan"], "vae": ["model=vae"], "ring": ["model=gan", "data=ring"], "cgan": ["model=cgan"]}
    with project(folder, template):
        for name, line in lines.items():
            assert main(["train", *TINY, *NARROW, "score.every=null", f"paths.output={name}", *line]) == 0
    return folder


def sampled(source, *options, out):
    code = main(["sample", str(source), "--out", str(out), *options])
    return code, json.loads((out / "result.json").read_text()) if code == 0 else None


@pytest.mark.slow
def test_the_array_scores_as_the_model(runs, tmp_path, monkeypatch):
    monkeypatch.chdir(runs)
    code, result = sampled(runs / "vae", "-n", "60", "--seed", "7", out=tmp_path / "out")
    assert code == 0 and (result["n"], result["seed"], result["weights"]) == (60, 7, "ema")
    array = np.load(result["array"])["images"]
    subject = open_subject(str(runs / "vae"), torch.device("cpu"))
    assert array.shape == (60, 28, 28)
    assert np.array_equal(array, to_uint8(subject.model.sample(60, 7))[:, 0].numpy())
    few = ["metrics=[fd]", "calibration=false", f"paths.cache={tmp_path}/cache"]
    values = []
    for line in ([str(runs / "vae"), "n=60", "seed=7"], [result["array"], "reference=mnist5k"]):
        assert main(["score", *line, *few, f"paths.output={tmp_path}/scored"]) == 0
        values.append(
            json.loads((tmp_path / "scored" / "result.json").read_text())["scores"]["score/mnist/fd"]["value"]
        )
    assert values[0] == pytest.approx(values[1], rel=1e-6)


def test_rows_lead_from_draw_to_draw(runs, tmp_path):
    code, result = sampled(runs / "gan", "-n", "12", "--kind", "interpolation", "columns=4", out=tmp_path)
    images = np.load(result["array"])["images"].reshape(3, 4, 28, 28)
    model = open_subject(str(runs / "gan"), torch.device("cpu")).model
    ends = to_uint8(model.sample(6, 1000))[:, 0].numpy()
    assert code == 0 and np.abs(images[:, 0].astype(int) - ends[:3]).max() <= 1
    assert np.abs(images[:, -1].astype(int) - ends[3:]).max() <= 1
    assert Image.open(result["picture"]).size == (4 * 58 + 2, 3 * 58 + 2)


def test_a_traversal_moves_one_coordinate_a_row_the_most_active_first(runs, tmp_path, monkeypatch):
    moved = {}
    monkeypatch.setattr(sample, "_decoded", lambda _, z, *others: moved.setdefault("z", z) is None or _blank(z))
    code, _ = sampled(runs / "vae", "-n", "15", "--kind", "traversal", "columns=5", out=tmp_path)
    z = moved["z"].unflatten(0, (3, 5))
    changed = [set(torch.nonzero(row.std(dim=0) > 0).flatten().tolist()) for row in z]
    assert code == 0 and all(len(c) == 1 for c in changed)
    subject = open_subject(str(runs / "vae"), torch.device("cpu"))
    (batch,) = subject.data.held_out("test", 1000, 1000)
    activity = subject.model.posterior(batch).mean.var(dim=0)
    assert [next(iter(c)) for c in changed] == activity.argsort(descending=True)[:3].tolist()
    assert z[0, :, next(iter(changed[0]))].tolist() == [-3.0, -1.5, 0.0, 1.5, 3.0]


def _blank(z):
    return sample.Drawn(torch.zeros(len(z), 1, 28, 28), torch.zeros(3, 8, 8, dtype=torch.uint8))


def test_reconstructions_and_points(runs, tmp_path):
    code, result = sampled(runs / "vae", "-n", "16", "--kind", "reconstruction", out=tmp_path / "a")
    assert code == 0 and Image.open(result["picture"]).size == (8 * 58 + 2, 4 * 58 + 2)
    subject = open_subject(str(runs / "vae"), torch.device("cpu"))
    (batch,) = subject.data.held_out("test", 16, 16)
    assert np.array_equal(np.load(result["array"])["images"], to_uint8(subject.model.reconstruct(batch))[:, 0].numpy())
    code, result = sampled(runs / "ring", "-n", "50", out=tmp_path / "b")
    assert code == 0 and np.load(result["array"])["points"].shape == (50, 2)


@pytest.fixture
def conditional(runs):
    """The conditional GAN."""
    return runs / "cgan"


@pytest.mark.parametrize("line", [["--classes", "3,7"], ["classes=[3,7]"], ["--classes", "3, 7"]])
def test_examples_of_chosen_classes_take_turns_and_the_file_has_their_classes(conditional, tmp_path, line):
    code, result = sampled(conditional, "-n", "6", "--seed", "5", "columns=4", *line, out=tmp_path)
    array = np.load(result["array"])
    model = open_subject(str(conditional), torch.device("cpu")).model
    y = torch.tensor([3, 7] * 3)
    assert code == 0 and array["labels"].tolist() == y.tolist()
    assert np.array_equal(array["images"], to_uint8(model.sample(6, 5, y))[:, 0].numpy())
    assert Image.open(result["picture"]).size == (4 * 58 + 2, 2 * 58 + 2)  # a row a class


def test_without_classes_a_conditional_model_draws_what_is_scored(conditional, tmp_path):
    code, result = sampled(conditional, "-n", "40", "columns=5", out=tmp_path)
    array, subject = np.load(result["array"]), open_subject(str(conditional), torch.device("cpu"))
    assert code == 0 and array["labels"].tolist() == subject.model.draw_labels(40, 1000).tolist()
    assert np.array_equal(array["images"], subject.draw(40, 1000, 40)[:, 0].numpy())
    assert Image.open(result["picture"]).size == (5 * 58 + 2, 10 * 58 + 2)


def test_rows_of_classes_have_the_same_latents(conditional):
    model = open_subject(str(conditional), torch.device("cpu")).model
    rows = rows_of_classes(model, [7, 3], columns=3, seed=2)
    z = model.prior.sample(3, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(rows[3:], model.decoded(z, torch.tensor([3, 3, 3])), rtol=1e-4, atol=1e-5)
    assert torch.equal(across_classes(rows, 3), torch.stack([rows[0], rows[4], rows[2]]))


def test_the_pictures_of_a_training_have_a_row_a_class(conditional):
    """TINY asks for 2 rows of 3 images; there are 10 classes, and the row that stands for the run shows several."""
    samples = np.array(Image.open(conditional / "samples.png").convert("RGB"))
    row = np.array(Image.open(next((conditional / "grids").glob("row-*640.webp"))).convert("RGB"))
    assert samples.shape[:2] == (10 * 58 + 2, 3 * 58 + 2) and row.shape[:2] == (58 + 2, 3 * 58 + 2)
    assert np.abs(row[2:58, 60:116].astype(int) - samples[60:116, 60:116]).mean() < 8


@pytest.mark.parametrize(("kind", "n"), [("interpolation", 8), ("traversal", 8), ("directions", 8), ("walk", 4)])
def test_what_moves_keeps_its_class(conditional, tmp_path, kind, n):
    code, result = sampled(conditional, "-n", str(n), "--kind", kind, "columns=4", "--classes", "6", out=tmp_path)
    assert code == 0 and set(np.load(result["array"])["labels"].tolist()) == {6}
    assert len(np.load(result["array"])["labels"]) == result["n"]


def test_a_class_has_a_name_where_the_data_have(conditional, tmp_path, monkeypatch):
    monkeypatch.setattr(Mnist5k, "classes", ("zero", "one", *"23456789"))
    code, result = sampled(conditional, "-n", "2", "--classes", "one,zero", out=tmp_path)
    assert code == 0 and np.load(result["array"])["labels"].tolist() == [1, 0]


def test_the_number_of_classes_is_recorded(conditional):
    assert open_subject(str(conditional), torch.device("cpu")).config.classes == 10


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["--classes", "3,10"], "got 10, expected a number from 0 to 9"),
        (["--classes", "cat"], "got 'cat', expected numbers from 0 to 9, or names of data=mnist5k"),
        (["classes=[]"], "expected at least one"),
        (["--classes", "1,2", "--kind", "traversal"], "kind=traversal keeps one class"),
        (["--classes", "1", "--kind", "inpaint"], "with their own classes"),
    ],
)
def test_classes_that_there_are_not_are_refused(conditional, tmp_path, capsys, line, said):
    assert sampled(conditional, *line, out=tmp_path)[0] == 2
    assert said in capsys.readouterr().err


def test_classes_of_a_plain_model_are_refused(runs, tmp_path, capsys):
    assert sampled(runs / "gan", "--classes", "1", out=tmp_path)[0] == 2
    assert "is not conditional; leave classes out" in capsys.readouterr().err


QUICK = ["restore.steps=2", "restore.starts=2"]


@pytest.mark.parametrize("kind", ["invert", "inpaint", "denoise", "superres"])
@pytest.mark.parametrize("source", ["gan", "vae"])
def test_restorations_state_the_quality_of_the_images_in_the_array(runs, tmp_path, kind, source):
    code, result = sampled(runs / source, "-n", "5", "--kind", kind, *QUICK, out=tmp_path)
    subject = open_subject(str(runs / source), torch.device("cpu"))
    true = to_uint8(subject.data.some("test", 5).x)[:, 0].double() / 255
    made = torch.from_numpy(np.load(result["array"])["images"]).double() / 255
    psnr = (-10 * ((made - true) ** 2).mean((1, 2)).log10()).mean()
    assert code == 0 and result["psnr"]["restored"] == pytest.approx(float(psnr), abs=0.05)
    assert -1 <= result["ssim"]["restored"] <= 1 and (result["psnr"]["corrupted"] is None) == (kind == "invert")
    assert Image.open(result["picture"]).size == (8 * 58 + 2, 3 * 58 + 2)  # two groups a row: three images, a caption


def test_a_model_restores_its_own_images(runs, tmp_path, monkeypatch):
    """An image that the generator can make comes back; from random latents it would not."""
    subject = open_subject(str(runs / "gan"), torch.device("cpu"))
    own = Batch(subject.model.sample(4, seed=11), None, torch.arange(4))
    monkeypatch.setattr(DataModule, "some", lambda *_: own)
    codes = [
        sampled(runs / "gan", "-n", "4", "--kind", k, "restore.lr=0.1", out=tmp_path / k) for k in ("invert", "inpaint")
    ]
    assert [code for code, _ in codes] == [0, 0] and codes[0][1]["psnr"]["restored"] > 40
    assert codes[1][1]["psnr"]["restored"] > codes[1][1]["psnr"]["corrupted"] + 10


def test_a_vae_starts_from_its_encoder(runs, tmp_path):
    still = ["restore.steps=1", "restore.starts=1", "restore.lr=1e-9"]
    _, result = sampled(runs / "vae", "-n", "4", "--kind", "inpaint", *still, out=tmp_path)
    subject = open_subject(str(runs / "vae"), torch.device("cpu"))
    batch = subject.data.some("test", 4)
    hidden = batch.x.clone()
    hidden[..., 7:21, 7:21] = 0
    expected = to_uint8(subject.model.reconstruct(Batch(hidden, None, batch.index)))[:, 0].numpy()
    assert np.abs(np.load(result["array"])["images"].astype(int) - expected).max() <= 1


def test_directions_move_along_eigenvectors_of_the_first_layer(runs, tmp_path, monkeypatch):
    moved = {}
    monkeypatch.setattr(sample, "_decoded", lambda _, z, *others: moved.setdefault("z", z) is None or _blank(z))
    assert sampled(runs / "gan", "-n", "15", "--kind", "directions", "columns=5", out=tmp_path)[0] == 0
    z = moved["z"].unflatten(0, (3, 5))
    steps = z[:, 1:] - z[:, :-1]
    model = open_subject(str(runs / "gan"), torch.device("cpu")).model
    weight = model.part("generator").body[0].weight.detach()
    largest = torch.linalg.matrix_norm(weight, ord=2)
    assert torch.allclose((steps[0] @ weight.T).norm(dim=1), 1.5 * largest.expand(4), rtol=1e-4)
    assert torch.allclose(z[:, 2], z[:1, 2].expand(3, -1), atol=1e-5)  # all rows pass the same latent


def test_a_walk_ends_where_it_began(runs, tmp_path):
    code, result = sampled(runs / "gan", "-n", "40", "--kind", "walk", "columns=3", out=tmp_path)
    images = np.load(result["array"])["images"].reshape(40, 3, 28, 28).astype(int)
    steps = np.abs(np.diff(np.concatenate([images, images[:1]]), axis=0)).mean((1, 2, 3))
    assert code == 0 and steps.max() < 3 * np.median(steps) and steps.min() > 0
    with Image.open(result["movie"]) as movie:
        assert (movie.n_frames, movie.info["loop"], movie.size) == (40, 0, (3 * 58 + 2, 58 + 2))


def test_the_training_is_a_movie_of_its_grids(runs, tmp_path, monkeypatch):
    monkeypatch.chdir(runs)
    code, result = sampled(runs / "vae", "-n", "4", "--kind", "training", out=tmp_path)
    last = np.array(Image.open(runs / "vae" / "samples.png").convert("RGB"))
    with Image.open(result["movie"]) as movie:
        assert code == 0 and movie.n_frames == result["frames"] == len(result["frames_images_seen"]) >= 2
        movie.seek(movie.n_frames - 1)
        assert np.abs(np.array(movie.convert("RGB")).astype(int) - last).mean() < 3
    assert result["frames_images_seen"][-1] == 640


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["gan", "--kind", "reconstruction"], "needs an encoder"),
        (["ring", "--kind", "traversal"], "makes points"),
        (["gan", "--kind", "collage"], "expected grid, interpolation"),
        (["gan", "-n", "0"], "at least 1"),
        (["ring", "--kind", "inpaint"], "makes points"),
        (["gan", "--kind", "inpaint", "restore.hole=2"], "restore.hole=2"),
        (["gan", "--kind", "invert", "restore.steps=0"], "restore.steps=0: expected at least 1"),
        (["gan", "--kind", "interpolation", "-n", "3"], "n=3 at least as many"),
        (["nowhere.ckpt"], "nowhere.ckpt"),
    ],
)
def test_bad_input_is_one_message(runs, tmp_path, monkeypatch, capsys, line, said):
    monkeypatch.chdir(runs)
    assert sampled(line[0], *line[1:], out=tmp_path)[0] == 2
    assert said in capsys.readouterr().err


def test_no_source_and_images_are_refused(tmp_path, capsys):
    np.save(tmp_path / "x.npy", np.zeros((4, 28, 28), dtype=np.uint8))
    assert main(["sample"]) == 2 and main(["sample", str(tmp_path / "x.npy"), "--out", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "no SOURCE" in said and "not a model" in said


@pytest.mark.parametrize("t", [0.0, 0.3, 0.5, 1.0])
def test_points_between_two_draws_have_the_normals_distribution(t):
    """A straight line would have a variance of 1 - 2 t (1 - t)."""
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 20_000, generator=generator)
    (between,) = Normal(20_000).between(a, b, torch.tensor([t]))
    assert stats.kstest(between.numpy(), "norm").pvalue > 0.01 and abs(float(between.var()) - 1) < 0.03


def test_the_uniforms_way_stays_in_the_cube():
    prior = Uniform(3, 0.5)
    a, b = prior.sample(2, generator=torch.Generator().manual_seed(0))
    way = prior.between(a, b, torch.linspace(0, 1, 5))
    assert torch.equal(way[0], a) and torch.allclose(way[-1], b) and float(way.abs().max()) <= prior.reach == 0.5
