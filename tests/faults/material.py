"""What a command may be pointed at: checkpoints, arrays, images, configs and runs, whole and damaged, of any kind."""
# ruff: noqa: E501 (tables of cases)

from __future__ import annotations

import os
import shutil
import sqlite3

import numpy as np
import torch
from PIL import Image

from ganvas.storage import checkpoints

from .configs import CONFIGS

FITTING = (
    "model=gan model=lsgan model=hinge_gan model=sngan model=dragan model=wgan model=wgan_gp model=vae model=beta_vae model=iwae "
    "model=pacgan network=mlp network=dcgan network=conv network=resnet network=infogan network=maxout network=aevb network=iwae "
    "network=article network=wgan_mlp network=pacgan network=examples prior=uniform prior=mixture prior=normal objective=elbo "
    "objective=hinge objective=iwae objective=wasserstein constraint=r1 constraint=r1_r2 constraint=weight_clipping "
    "constraint=spectral_norm constraint=gradient_penalty constraint=dragan optimizer=sgd optimizer=adagrad optimizer=rmsprop "
    "likelihood=gaussian likelihood=gaussian_learned likelihood=discretised_logistic transform=fixed_binarisation "
    "transform=dynamic_binarisation data=ring data=grid data=swiss_roll data=mnist5k extractor=mnist schedule=linear "
    "schedule=cosine schedule=exponential schedule=stages schedule=warm_up schedule=ramp data.path=m/rgb.npz data.path=m/ok.npz"
).split()
"""Choices that exist, of which two need not fit each other."""
SUBJECTS = {
    "score": ["@GAN@", "extractor=mnist", "n=64", "paths.cache=cache"],
    "sample": ["@GAN@", "-n", "4"],
    "report": ["mini"],
    "rerun": ["abc"],
    "reproduce": ["iwae_table1", "paths.results=results", "seed=-1"],
}
SWEEPER = """
hydra.sweeper.sampler=foo hydra.sweeper.sampler=tpe hydra.sweeper.sampler= hydra.sweeper.sampler_seed=abc
hydra.sweeper.sampler_seed=nan hydra.sweeper.n_trials=abc hydra.sweeper.pruner=foo hydra.sweeper.pruner=3
hydra.sweeper.aggregate=foo hydra.sweeper.racing=2 hydra.sweeper.racing=abc hydra.sweeper.racing=nan
hydra.sweeper.racing=-1 hydra.sweeper.storage=foo://x hydra.sweeper.storage=sqlite:////proc/x
hydra.sweeper.batch=abc hydra.sweeper.batch=-1 hydra.sweeper.direction=up hydra.sweeper.direction=[]
hydra.sweeper.prune_on=[foo] hydra.sweeper.prune_on=3 hydra.sweeper.params=3 hydra.sweeper.seeds=abc
hydra.sweeper.seeds=0 hydra.sweeper.when=3 hydra.sweeper.foo=3 hydra.sweeper.objective=[]
hydra.sweeper._target_=os.getcwd hydra.sweeper.n_trials=-1 hydra.sweeper.n_trials=0 hydra.sweeper.objective=3
hydra.sweeper.seeds=-1 hydra.sweeper.seeds=[] hydra/launcher=nope hydra/sweeper=nope seed=range(3,1)
optimizer.lr=interval(1,0) optimizer.lr=interval(a,b) seed=choice() optimizer.lr=interval(0,1) seed=glob(x)
foo=1,2 model=gan,nope model=glob(x*) tracking.offline=true seed=shuffle(1) +optimizer.foo=1,2 study=a,b
study=.. hydra.sweep.dir=/proc/x paths.output=/proc/x,/proc/y
""".split()
"""Settings of a sweep that make no sense."""

ARRAYS = "empty torn nothing zero objects strings onedim labels mu nan text folder.npz dangling text.npy twochannels fourd".split()
CHECKPOINTS = (
    "empty torn flip text plain odd nostate other list alias bomb interpolation target folder dangling".split()
)
IMAGES = "photos mixed nothing texts loop file small missing".split()


def _case(family, args, given, names, expect="any", store=True):
    from .grammar import Case

    return Case(family, tuple(args), tuple(given), tuple(names), expect, store)


def _checkpoint(pick):
    from .grammar import TRAIN

    name = pick.choice([*CHECKPOINTS, "gan", "vae", "photos"])
    path = f"m/{name}" if name in ("gan", "vae", "photos") else f"m/{name}.ckpt"
    bad = "any" if name in ("gan", "vae") else "bad"
    how = pick.choice(["resume", "resume", "init_from", "score", "sample", "sample"])
    store = pick.random() < 0.7
    if how in ("resume", "init_from"):
        extra = pick.choice(
            [[], ["model=vae"], ["seed=7"], ["budget.images=32"], ["budget.images=96"], ["optimizer.lr=0.1"]]
        )
        given = [f"{how}={path}", *extra]
        line = ["train", *TRAIN, *given] if how == "init_from" else ["train", *given]
    else:
        kind = pick.choice(
            [[], ["--kind", "traversal"], ["--kind", "reconstruction"], ["--kind", "interpolation"], ["--kind", ""]]
        )
        given = [
            how,
            path,
            *(
                kind
                if how == "sample"
                else ["metrics=[elbo]"]
                if pick.random() < 0.3
                else ["n=40", "paths.cache=cache"]
            ),
        ]
        line = given
    names = [path, f"{how}", *(argument.partition("=")[0] for argument in given[1:]), "kind"]
    return _case("checkpoint", line, given, names, bad, store)


def _array(pick):
    from .grammar import TRAIN

    name = pick.choice(ARRAYS)
    path = f"m/{name}" if "." in name else f"m/{name}.npz"
    how = pick.choice(["data.path", "score", "reference", "resume"])
    if how == "score":
        given = ["score", path, "reference=m/ok.npz", "extractor=mnist", "paths.cache=cache"]
    elif how == "reference":
        given = ["score", "m/ok.npz", f"reference={path}", "extractor=mnist", "paths.cache=cache"]
    else:
        given = ["train", *TRAIN, f"{how}={path}"]
    sound = {"mu", "labels", "onedim", "twochannels", "zero", "nan", "fourd"}
    return _case(
        "array", given, [*given[:1], f"{how}={path}"], [path], "any" if name in sound else "bad", pick.random() < 0.8
    )


def _images(pick):
    from .grammar import fitting

    path = f"m/{pick.choice(IMAGES)}"
    how = pick.choice(["train", "train", "score", "reference"])
    if how == "train":
        extra = pick.choice(
            [
                [],
                ["data.size=0"],
                ["data.size=8", "data.channels=2"],
                ["data.resize=foo"],
                ["data.val=2"],
                ["data.val=0.99"],
            ]
        )
        given = [f"data.path={path}", "data.size=8", "batch_size=4", "extractor=none", *extra]
        given = ["train", *fitting(["data=folder"]), "data=folder", *given]
    else:
        given = ["score", path, "reference=m/ok.npz", "extractor=mnist", "paths.cache=cache"]
        given = given if how == "score" else ["score", "m/ok.npz", f"reference={path}", *given[3:]]
    names = [path, "data.path", "size", "channels", "resize", "val", "batch_size"]
    return _case("images", given, [how, path, *given[-1:]], names)


def _run(pick):
    command = pick.choice(["score", "sample", "rerun", "report"])
    which = pick.choice(
        [
            "@GAN@",
            "@VAE@",
            "@NONE@",
            "@STUDY@",
            "@GAN@/best.ckpt",
            "@GAN@/nope.ckpt",
            "@GAN@x",
            "mini",
            "m",
            "",
            "''",
            "-",
        ]
    )
    extra = pick.choice(
        [[], ["paths.output=/proc/x"], ["seed=abc"], ["foo=1"], ["trust=[os]"], ["-n", "3"], ["--foo"], ["=", "x"]]
    )
    given = [command, which, *extra]
    if command == "score":
        given += ["extractor=mnist", "metrics=[fd]", "n=40", "paths.cache=cache", "calibration=false"]
    place = {"rerun": "RUN_ID", "report": "STUDY"}.get(command, "SOURCE")
    words = (which or "''", place, *extra, *(part for e in extra for part in e.split("=")))
    names = [word for word in words if word]
    return _case("run", given, given, [*names, "run", "study", "no MLflow store"], "any", pick.random() < 0.8)


FILES = (_checkpoint, _array, _images, _run)


def store_of(folder, main):
    """Fill a folder with a store of four runs and a study; returns the ids that stand for them."""
    from ..tiny import TINY

    tiny = [*TINY, "budget.images=64", "batch_size=32", "score.every=null", "grid.rows=1", "grid.columns=2"]
    for model in ("gan", "vae"):
        assert main(["train", *tiny, f"model={model}", f"paths.output=m/{model}", "network=mlp"]) == 0
    assert main(["train", "-m", *tiny, "study=mini", "seed=1,2"]) == 0
    shutil.rmtree(folder / "outputs")
    shutil.rmtree(folder / "cache")
    with sqlite3.connect(folder / "mlflow.db") as db:
        rows = db.execute("select run_uuid, key, value from tags").fetchall()
    tags = {(run, key): value for run, key, value in rows}
    ids = {"@NONE@": "0" * 32}
    for (run, key), value in tags.items():
        if key == "ganvas.model" and not tags.get((run, "ganvas.study")):
            ids[f"@{value.upper()}@"] = run
        if (key, value) == ("ganvas.role", "study"):
            ids["@STUDY@"] = run
    return ids


def fill(folder):
    """Make the files in ``folder``, which has the outputs ``gan`` and ``vae`` of two trainings."""
    _fill_checkpoints(folder)
    _fill_arrays(folder)
    _fill_images(folder)
    configs = folder / "conf" / "experiment"
    configs.mkdir(parents=True)
    for name, content in CONFIGS.items():
        (configs / f"{name}.yaml").write_bytes(content)
    (folder / "bombs" / "experiment").mkdir(parents=True)  # a folder with a bomb is refused, whatever is chosen
    (configs / "bomb.yaml").rename(folder / "bombs" / "experiment" / "bomb.yaml")
    (configs / "folder.yaml").mkdir()
    (configs / "dangling.yaml").symlink_to("nowhere")


def _fill_checkpoints(folder):
    whole = (folder / "gan" / "last.ckpt").read_bytes()
    good = checkpoints.read(folder / "gan" / "last.ckpt")
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 4
    plain = {"empty": b"", "torn": whole[: len(whole) // 2], "flip": bytes(flipped), "text": b"not a checkpoint\n"}
    for name, content in plain.items():
        (folder / f"{name}.ckpt").write_bytes(content)
    torch.save({"state_dict": {}}, folder / "plain.ckpt")
    config = good["config"]
    odd = {
        "odd": {"images_seen": 1},
        "nostate": {k: v for k, v in good.items() if k != "state_dict"},
        "other": good | {"state_dict": {k: v[..., :1] for k, v in good["state_dict"].items()}},
        "list": good | {"config": "[]"},
        "alias": good | {"config": "a: &a 1\nb: *a\n" + config},
        "bomb": good | {"config": CONFIGS["bomb"].decode()},
        "interpolation": good | {"config": config.replace("seed: 1\n", "seed: ${oc.env:HOME}\n", 1)},
        "target": good | {"config": config.replace("ganvas.networks.mlp.Generator", "os.system")},
    }
    for name, content in odd.items():
        checkpoints.write(folder / f"{name}.ckpt", content)
    (folder / "folder.ckpt").mkdir()
    (folder / "dangling.ckpt").symlink_to("nowhere")


def _fill_arrays(folder):
    draw = np.random.default_rng(0)
    images = draw.integers(0, 255, (200, 28, 28), dtype=np.uint8)
    arrays = {
        "ok": {"images": images, "labels": np.arange(200) % 10},
        "small": {"images": images[:, :8, :8]},
        "rgb": {"images": draw.integers(0, 255, (200, 8, 8, 3), dtype=np.uint8)},
        "nothing": {},
        "zero": {"images": images[:0]},
        "objects": {"images": np.array([{"a": 1}, None], dtype=object)},
        "strings": {"images": np.array(["a", "b"])},
        "onedim": {"images": images[:, 0, 0]},
        "labels": {"images": images[:, :8, :8], "labels": np.arange(7)},
        "mu": {"mu": np.zeros(64), "sigma": np.eye(64)},
        "nan": {"images": np.full((200, 8, 8), np.nan)},
        "twochannels": {"images": draw.integers(0, 255, (200, 8, 8, 2), dtype=np.uint8)},
        "fourd": {"images": draw.integers(0, 255, (20, 2, 8, 8, 3), dtype=np.uint8)},
    }
    for name, content in arrays.items():
        np.savez(folder / f"{name}.npz", **content)
    (folder / "torn.npz").write_bytes((folder / "ok.npz").read_bytes()[:5000])
    (folder / "empty.npz").touch()
    (folder / "text.npz").write_text("abc")
    (folder / "text.npy").write_text("abc")
    (folder / "folder.npz").mkdir()
    (folder / "dangling.npz").symlink_to("nowhere")


def _fill_images(folder):
    for name in ("photos", "mixed", "nothing", "texts", "loop", "small"):
        (folder / name).mkdir()
    for i in range(40):
        Image.fromarray(np.full((16, 16), 6 * i, dtype=np.uint8)).save(folder / "photos" / f"{i}.png")
    for name in ("mixed", "small"):
        shutil.copy(folder / "photos" / "3.png", folder / name)
    (folder / "mixed" / "torn.png").write_bytes((folder / "photos" / "1.png").read_bytes()[:40])
    (folder / "texts" / "a.txt").write_text("abc")
    (folder / "loop" / "again").symlink_to(folder / "loop", target_is_directory=True)
    (folder / "file").write_text("abc")
    os.mkfifo(folder / "photos" / "pipe.txt")
