"""Tables at the end of runs and sweeps, and the commands printed below them."""

import io
import re

import pytest
from rich.console import Console

from ganvas.commands.next_steps import say_next, stopped
from ganvas.commands.table import print_run, print_study

FD, IS = "score/mnist/fd", "score/mnist/is"


def result(name="gan mnist5k mlp", fingerprint="aa", findings=None, **scores):
    values = {f"score/mnist/{key}": {"value": v, "interval": [v - 0.5, v + 0.5]} for key, v in scores.items()}
    over = dict.fromkeys(values, "10 splits")
    found = {"fingerprints": dict.fromkeys(values, fingerprint), "uncertainty": over, "findings": findings or {}}
    return {"name": name, "scores": values, "images_seen": 640, "run_id": "f" * 32, "output": "/x/out", **found}


def printed(act, *arguments, width=80):
    console = Console(file=io.StringIO(), width=width)
    act(*arguments, console)
    return console.file.getvalue()


def test_scores_of_different_protocols_never_share_a_table():
    groups = [[result(f"gan lr={i}", digits, fd=1.0)] for i, digits in enumerate(["aa", "bb", "aa"])]
    first, second = printed(print_study, groups).split("protocols: fd aa")
    assert "lr=0" in first and "lr=2" in first and "lr=1" not in first and "1 ± 0.5" in first
    assert "lr=1" in second and "protocols: fd bb" in second


def test_rows_are_sorted_with_mean_and_deviation_over_seeds():
    groups = [
        [result(f"{model} seed={seed}", fd=value + seed, **{"is": 3.0}) for seed in (1, 3)]
        for model, value in (("vae", 50.0), ("gan", 10.0), ("wgan", 30.0))
    ]
    text = printed(print_study, groups)
    rows = re.findall(r"│ (\w+) +│ +(\S+) ± (\S+) │", text)
    assert rows == [("gan", "12", "1.4"), ("wgan", "32", "1.4"), ("vae", "52", "1.4")]
    assert "fd ↓" in text and "is ↑" in text and "mean ± standard deviation over seeds (2)" in text
    assert "seed=" not in text and text.startswith("6 runs of ")


def test_the_deviation_of_one_run_says_what_it_is_over():
    text = printed(print_run, result(fd=12.0))
    assert re.search(r"mnist/fd ↓ │ +12 │ 0\.5 │ 10 splits", text)
    assert "± of one run, not over seeds: fd: 10 splits" in printed(
        print_study, [[result("a", fd=1.0)], [result("b", fd=2.0)]]
    )


def test_no_header_and_no_number_is_cut_at_80_columns():
    scores = {f"a_long_name_of_a_metric_{i}": 100.5 + i for i in range(6)}
    groups = [[result(f"gan optimizer.lr={i} and=more words=1 of=it", **scores)] for i in range(2)]
    text = printed(print_study, groups)
    assert all(name in text for name in scores) and all(len(line) <= 80 for line in text.splitlines() if "│" in line)
    assert text.count("100.5 ± 0.5") == 2 and "…" not in text


def test_brackets_of_values_are_kept():
    groups = [[result(f"gan channels=[{n},64] +x=[/b]", fd=1.0)] for n in (32, 128)]
    text = printed(print_study, groups, width=120)
    assert "channels=[32,64]" in text and "channels=[128,64]" in text and "+x=[/b]" in text


@pytest.mark.parametrize("cases, said", [(6, "6 of 6 runs; in"), (2, "2 of 6 runs (lr=0 seed=1; lr=0 seed=2): ")])
def test_the_same_warning_is_printed_once(cases, said):
    bad = {"class_coverage": {"state": "warn", "reason": "no 7"}}
    names = [(lr, seed) for lr in (0, 1) for seed in (1, 2, 3)]
    results = [
        result(f"gan lr={lr} seed={s}", findings=bad if i < cases else {}, fd=1.0) for i, (lr, s) in enumerate(names)
    ]
    text = printed(print_study, [results[:3], results[3:]])
    assert text.count("class_coverage") == 1 and f"warn class_coverage: {said}" in text and "no 7" in text


def test_a_run_without_scores_has_no_table():
    assert re.fullmatch("gan mnist5k mlp: no scores: .*\n", printed(print_run, result()))
    text = printed(print_study, [[result("gan")], [result("vae")]])
    assert "gan, vae: no scores: " in text and "run " not in text and "┃" not in text


def test_the_next_commands_can_be_copied(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = result(fd=1.0) | {"output": str(tmp_path / "my out")}
    text = printed(say_next, found, "f" * 32)
    assert f"run {'f' * 32}" in text and "in  my out/" in text
    assert f"ganvas score {'f' * 32} " in text and "budget.images=1280" in text
    assert """ganvas train resume="'my out/last.ckpt'" """ in text or """resume=''"'"'my out/last.ckpt'"'"''""" in text


def test_a_stopped_run_names_its_checkpoint_only_if_there_is_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (out := tmp_path / "out").mkdir()
    assert "nothing is kept in out " in stopped(out)
    (out / "last.ckpt").touch()
    assert "`ganvas train resume=out/last.ckpt` goes on" in stopped(out)
