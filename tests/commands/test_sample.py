"""`ganvas sample`, from the command line to the array, the picture and result.json."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats

from ganvas.cli import main
from ganvas.commands import sample
from ganvas.data.datamodule import DataModule
from ganvas.latents.priors import Normal, Uniform
from ganvas.scoring.subjects import open_subject
from ganvas.types import Batch, to_uint8

from ..tiny import TINY, project


@pytest.fixture(scope="module")
def runs(tmp_path_factory, template):
    """A GAN, a VAE and a GAN of points, trained for a few steps."""
    folder = tmp_path_factory.mktemp("runs")
    with project(folder, template):
        for name, line in {"gan": ["model=gan"], "vae": ["model=vae"], "ring": ["model=gan", "data=ring"]}.items():
            assert main(["train", *TINY, "score.every=null", f"paths.output={name}", *line]) == 0
    return folder


def sampled(source, *options, out):
    code = main(["sample", str(source), "--out", str(out), *options])
    return code, json.loads((out / "result.json").read_text()) if code == 0 else None


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
