"""`ganvas score A B` and `--table`: differences, leaderboards, and sources that do not compare."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest

import ganvas
from ganvas.cli import OVERRIDES, main
from ganvas.commands.several import labels_of, within
from ganvas.config import ConfigError
from ganvas.extractors.mnist import MnistExtractor
from ganvas.scoring import references
from ganvas.scoring.cache import FeatureCache

FD, PRECISION = "score/mnist/fd", "score/mnist/precision"
N = 60
HOW = ["reference=real.npz", "extractor=mnist", "metrics=[fd,precision]", "groups=4", "paths.cache=cache"]


@pytest.fixture(scope="module")
def written(tmp_path_factory, digits):
    """Files of digits: a reference, others like it, others with noise."""
    folder = tmp_path_factory.mktemp("written")
    images = digits[0][: 4 * N, 0].numpy()
    noise = np.random.default_rng(0).normal(0, 60, (N, 28, 28))
    np.savez(folder / "real.npz", images=images[:N])
    (folder / "samples").mkdir()
    np.savez(folder / "samples" / "good.npz", images=images[N : 2 * N])
    np.savez(folder / "samples" / "noisy.npz", images=np.clip(images[2 * N : 3 * N] + noise, 0, 255).astype(np.uint8))
    np.savez(folder / "fewer.npz", images=images[3 * N : -10])
    return folder


@pytest.fixture(autouse=True)
def files(written, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return shutil.copytree(written, tmp_path, dirs_exist_ok=True)


GOOD, NOISY = "samples/good.npz", "samples/noisy.npz"


def score(*arguments, output="out"):
    code = main(["score", *HOW, f"paths.output={output}", *arguments])
    return code, json.loads(open(f"{output}/result.json").read()) if code == 0 else None


def counted(monkeypatch, owner, name):
    """Note each call of a function."""
    calls, function = [], getattr(owner, name)
    monkeypatch.setattr(owner, name, lambda *arguments: (calls.append(1), function(*arguments))[1])
    return calls


def test_two_sources_are_scored_as_alone_and_their_differences_judged(capsys, monkeypatch):
    seen, extract = [], MnistExtractor.extract
    monkeypatch.setattr(MnistExtractor, "extract", lambda self, x: (seen.append(len(x)), extract(self, x))[1])
    built = counted(monkeypatch, MnistExtractor, "load")
    opened = counted(monkeypatch, references, "open_images")
    read = counted(monkeypatch, FeatureCache, "features")
    code, found = score(NOISY, GOOD, "calibration=false")
    assert code == 0 and sum(seen) == 3 * N  # the reference once
    assert (len(built), len(opened), len(read)) == (1, 1, 1)
    said = capsys.readouterr().out
    assert "noisy.npz minus good.npz" in said and "paired by reference images" in said
    _, alone = score(NOISY, "calibration=false", output="alone")
    assert found["results"][NOISY]["scores"] == alone["scores"]
    assert json.loads(open("out/0/result.json").read())["scores"] == alone["scores"]
    by_key = {row["score"]: row for row in found["differences"]}
    assert list(by_key) == [FD, PRECISION] and "leaderboard" not in found
    for key, row in by_key.items():
        values = [found["results"][name]["scores"][key]["value"] for name in (NOISY, GOOD)]
        assert row["difference"] == pytest.approx(values[0] - values[1])
        assert row["low"] < row["difference"] < row["high"]
        assert (row["first"], row["second"], row["paired"]) == (NOISY, GOOD, "paired by reference images")
    assert by_key[FD]["verdict"] == "worse"


def test_sources_of_different_protocols_are_refused(capsys):
    code, _ = score(GOOD, "fewer.npz", "calibration=false")
    assert code == 2 and "n_fake 60 against 50" in capsys.readouterr().err


def test_a_leaderboard_keeps_what_could_be_scored_and_names_the_rest(capsys):
    code, found = score(NOISY, "nowhere.npz", "fewer.npz", GOOD, "calibration=false")
    assert code == 0
    assert [row["source"] for row in found["leaderboard"]] == [GOOD, NOISY]
    best, worst = found["leaderboard"]
    assert best["difference"] is None and worst["verdict"] == "worse"
    assert worst["difference"] == pytest.approx(worst["value"] - best["value"])
    assert worst["difference_low"] < worst["difference"] < worst["difference_high"]
    assert best["low"] < best["value"] < best["high"]
    assert list(found["failed"]) == ["nowhere.npz"] and "nowhere.npz" in found["failed"]["nowhere.npz"]
    assert [reason.partition(",")[0] for reason in found["refused"]] == ["fewer.npz"]
    assert "fewer.npz" in found["results"]
    page = open("out/leaderboard.html").read()
    assert all(
        text in page
        for text in (GOOD, NOISY, "nowhere.npz", "n_fake 60 against 50", "60 images from files", "data:image/png")
    )
    assert "http" not in page and 'class="chip worse"' in page
    with open("out/leaderboard.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["source"] for row in rows] == [GOOD, NOISY]
    assert float(rows[0]["value"]) == pytest.approx(best["value"]) and rows[1]["verdict"] == "worse"
    said = capsys.readouterr().out
    assert f"Best: {GOOD}, fd" in said and f"It is better than {NOISY}" in said and "leaderboard.html" in said


def test_what_all_paths_have_in_common_is_not_printed(capsys):
    code, found = score("samples", "--table", "calibration=false")
    said, page = capsys.readouterr().out, open("out/leaderboard.html").read()
    assert code == 0 and "Best: good.npz, fd" in said and "It is better than noisy.npz" in said
    assert "good.npz" in page and GOOD not in page
    with open("out/leaderboard.csv") as file:
        written = [row["source"] for row in csv.DictReader(file)]
    assert written == [row["source"] for row in found["leaderboard"]] == [GOOD, NOISY]
    assert [(row["first"], row["second"]) for row in found["differences"]] == [(NOISY, GOOD)]


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["a", "b"], ["a", "b"]),
        (["/x/y/a/best.ckpt", "/x/y/b/best.ckpt"], ["a", "b"]),
        (["r/1/s/best.ckpt", "r/2/s/best.ckpt", "r/1/t/best.ckpt"], ["1/s", "2/s", "1/t"]),
        (["a/b", "a/b/c"], ["b", "b/c"]),
        (["x/best.ckpt", "best.ckpt"], ["x/best.ckpt", "best.ckpt"]),
        (["/", "/a"], ["/", "/a"]),
    ],
)
def test_labels(names, labels):
    assert labels_of(names) == dict(zip(names, labels, strict=True))


def test_exit_codes(capsys):
    assert score("nowhere.npz", "missing.npz", "--table")[0] == 2
    assert "all 2 sources failed, the first, nowhere.npz, with:" in capsys.readouterr().err
    assert score(GOOD, "nowhere.npz")[0] == 2  # two sources without a table: the difference needs both
    assert "nowhere.npz" in capsys.readouterr().err
    for arguments, message in [
        ([GOOD, GOOD], "named twice"),
        ([GOOD, "--table"], "expected two or more"),
        ([GOOD, NOISY, "groups=6"], "groups=6: expected a power of two from 4 on"),
        ([GOOD, NOISY, "export_reference=x.npz"], "export it alone"),
    ]:
        assert score(*arguments)[0] == 2
        assert message in capsys.readouterr().err


def test_a_folder_is_scored_by_what_it_holds(files):
    assert within(files / "samples") == [str(files / GOOD), str(files / NOISY)]
    for run in ("b/1", "a", "c"):
        (files / "sweep" / run).mkdir(parents=True)
        (files / "sweep" / run / "best.ckpt").touch()
        if run != "c":
            (files / "sweep" / run / "last.ckpt").touch()
    assert within(files / "sweep") == [str(files / "sweep" / run) for run in ("a", "b/1")]
    assert within(files / "sweep/a") == [str(files / "sweep/a" / name) for name in ("best.ckpt", "last.ckpt")]


def test_sources_of_the_command_line(files):
    written = OVERRIDES["score"]
    assert written(["a", "metrics=[fd]"]) == ["source='a'", "metrics=[fd]"]
    assert written(["a", "metrics=[fd]", "b", "--table"]) == ["sources=['a','b']", "metrics=[fd]", "table=true"]
    (files / "seed=1").mkdir()
    assert written(["seed=1", "${x}", "data.path=p"]) == ["sources=['seed=1','\\${x}']", "++data.path=p"]
    assert written(["metrics=[fd]"]) == ["metrics=[fd]"]


def test_the_python_api_compares():
    how = {"reference": "real.npz", "extractor": "mnist", "metrics": ["fd"], "calibration": False, "groups": 4}
    found = ganvas.compare("samples", **how, **{"paths.cache": "cache"})
    assert list(found) == [GOOD, NOISY] and found.page.is_file() and not found.failed
    assert found[GOOD][FD].value == pytest.approx(found.leaderboard["value"][0])
    assert list(found.differences["verdict"]) == ["worse"] and found.conclusion[0].startswith("Best: good.npz")
    assert "<table" in found._repr_html_()
    pair = ganvas.compare([NOISY, GOOD], **how, **{"paths.cache": "cache"})
    assert pair.page is None and pair.leaderboard.empty and len(pair.differences) == 1
    with pytest.raises(ConfigError, match="expected two or more"):
        ganvas.compare([GOOD], **how)
