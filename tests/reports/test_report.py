"""The report against a study whose truth is known, as a sweep lays it into MLflow."""

import csv
import re
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from ganvas import cli
from ganvas.reports import page as ganvas_page
from ganvas.reports.collect import study_runs, tidy
from ganvas.reports.plots.theme import Picture
from ganvas.tracking import hierarchy as h

from .conftest import OTHER, PROTOCOL, SCORE, read_json


def made(tmp_path, *arguments):
    code = cli.main(["report", *arguments, f"paths.output={tmp_path / 'out'}"])
    assert code == 0
    return read_json(tmp_path / "out" / "result.json")


def test_tidy_table_has_a_row_a_seed(study):
    table = tidy(study_runs(study.client, "lucic"))
    assert len(table) == 21
    assert table["outcome"].value_counts().to_dict() == {
        "finished": 17,
        "nan": 1,
        "error": 1,
        "interrupted": 1,
        "pruned": 1,
    }
    first = table[(table["label"] == "model=wgan_gp optimizer.lr=0.001") & (table["seed"] == 1)].iloc[0]
    assert (first["images"], first["wall_seconds"], first["param/model"]) == (6400, 120.0, "wgan_gp")


def test_a_seed_trained_twice_is_one_observation(writer):
    writer.seed_run("gan", 0.001, 1, 30.0)
    writer.seed_run("gan", 0.001, 1, None, outcome="interrupted")
    table = tidy(study_runs(writer.client, "lucic"))
    assert table[["outcome", "attempts", SCORE]].values.tolist() == [["finished", 2, 30.0]]


def test_plain_runs_are_grouped_by_their_parameters(writer):
    for lr in (0.001, 0.002):
        for seed in (1, 2):
            overrides = f"experiment=demo optimizer.lr={lr} seed={seed} study=lucic paths.output=/x y/{seed}"
            run_id = writer.run("plain", {"ganvas.overrides": overrides, "ganvas.model": "gan", "ganvas.seed": seed})
            for key, value in {"optimizer.lr": lr, "seed": seed, "paths.output": seed}.items():
                writer.client.log_param(run_id, key, value)
            writer.client.log_metric(run_id, SCORE, 1.0 + lr + seed)
            writer.client.set_terminated(run_id)
    table = tidy(study_runs(writer.client, "lucic"))
    assert table.groupby("configuration")["label"].nunique().tolist() == [1, 1]
    assert set(table["label"]) == {"optimizer.lr=0.001", "optimizer.lr=0.002"}
    assert table.groupby("configuration").size().tolist() == [2, 2]


def test_report_finds_the_truth_and_hides_no_failure(study, tmp_path, capsys):
    result = made(tmp_path, "lucic")
    (ranking,) = result["rankings"]
    verdicts = {(c["first"][6:], c["second"][6:]): c["verdict"] for c in ranking["comparisons"]}
    best, same = (f"wgan_gp optimizer.lr={lr}" for lr in (0.001, 0.002))
    gan = "gan optimizer.lr=0.001"
    assert verdicts.get((best, same), verdicts.get((same, best))) == "within noise"
    assert verdicts[best, gan] == verdicts[same, gan] == "better"
    assert verdicts[best, "gan optimizer.lr=0.002"] == "too few seeds"
    assert [f["outcome"] for f in ranking["failures"]] == ["no score", "pruned", "nan", "error", "interrupted"]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "ModuleNotFoundError: no nonsense" in page
    assert "the loss is nan &lt;b&gt;" in page
    assert "within noise" in page and "more seed" in page
    assert not re.search(r'(src|srcset)="(?!data:)|<link|<script [^>]*src|@import|url\(', page)
    assert set(re.findall(r'href="(https?://[^/"]*|[^#])', page)) == {"http://127.0.0.1:5000"}
    assert len(pd.read_csv(tmp_path / "out" / "runs.csv")) == 21
    assert "Best mean: model=wgan_gp" in capsys.readouterr().out


def test_report_is_on_the_study_run(study, tmp_path, monkeypatch):
    drawn = Picture("ranking", "alt", b"", b"")
    monkeypatch.setattr(ganvas_page, "_pictures", lambda *arguments: [drawn])
    made(tmp_path, "lucic")
    (root,) = [r for r in study_runs(study.client, "lucic") if r.data.tags[h.ROLE] == h.STUDY]
    logged = {entry.path for entry in study.client.list_artifacts(root.info.run_id, "report")}
    assert {"report/report.html", "report/ranking.png", "report/runs.csv", "report/result.json"} <= logged


@pytest.mark.usefixtures("unpainted")
def test_a_study_without_a_run_of_its_own_gets_one_and_keeps_it(writer, tmp_path):
    writer.seed_run("gan", 0.001, 1, 30.0)
    for _ in range(2):
        made(tmp_path, "lucic")
    runs = [r for r in study_runs(writer.client, "lucic") if r.data.tags.get(h.ROLE) == h.STUDY]
    assert [r.info.status for r in runs] == ["FINISHED"]


@pytest.mark.usefixtures("unpainted")
def test_two_protocols_are_never_ranked_together(study, tmp_path):
    for seed in (1, 2, 3):
        study.seed_run("dragan", 0.001, seed, 1.0 + seed / 10, protocol=OTHER)
    result = made(tmp_path, "lucic")
    first, second = result["rankings"]
    assert "n_fake 1000 against 500" in result["refusal"]
    labels = [{c["configuration"] for c in r["configurations"]} for r in (first, second)]
    assert labels[1] == {"model=dragan optimizer.lr=0.001"} and not labels[0] & labels[1]
    compared = {c[side] for c in first["comparisons"] for side in ("first", "second")}
    assert "model=dragan optimizer.lr=0.001" not in compared
    assert "n_fake 1000 against 500" in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.usefixtures("unpainted")
def test_direction_follows_the_metric(study, tmp_path):
    lower = made(tmp_path, "lucic")["rankings"][0]["configurations"]
    found = made(tmp_path, "lucic", "score=score/mnist/is")
    assert found["lower_is_better"] is False
    higher = found["rankings"][0]["configurations"]
    assert lower[0]["mean"] < lower[2]["mean"] and higher[0]["mean"] > higher[2]["mean"]


@pytest.mark.usefixtures("unpainted")
def test_of_many_configurations_only_the_pairs_with_the_best_are_listed(study, tmp_path, monkeypatch):
    everything = made(tmp_path / "all", "lucic")["rankings"][0]
    monkeypatch.setattr("ganvas.reports.ranking.LISTED", 2)
    listed = made(tmp_path / "listed", "lucic")["rankings"][0]
    best = everything["configurations"][0]["configuration"]
    assert listed["comparisons"] == [row for row in everything["comparisons"] if row["first"] == best]
    assert len(everything["comparisons"]) > len(listed["comparisons"]) == 3
    assert listed["conclusion"] == everything["conclusion"]


@pytest.mark.usefixtures("unpainted")
def test_a_baseline_makes_fewer_comparisons(study, tmp_path):
    result = made(tmp_path, "lucic", "baseline='model=gan optimizer.lr=0.001'")
    comparisons = result["rankings"][0]["comparisons"]
    assert {c["second"] for c in comparisons} == {"model=gan optimizer.lr=0.001"} and len(comparisons) == 3


def lines_of(document):
    """The `ganvas report` lines of a document, as a shell splits them."""
    text = (Path(__file__).parents[2] / document).read_text()
    lines = re.findall(r"ganvas report ([a-z][^`#\n]*)", text)
    return [shlex.split(line) for line in lines if "STUDY" not in line]


@pytest.mark.slow  # each writes a page
@pytest.mark.parametrize("line", lines_of("docs/reference/reports.md"), ids=" ".join)
def test_the_lines_of_the_documents_run(study, tmp_path, monkeypatch, line):
    monkeypatch.setattr("webbrowser.open", lambda address: True)
    narrow = replace(study, study="narrow")
    for lr in (0.003, 0.004):
        for seed in (1, 2, 3):
            narrow.seed_run("gan", lr, seed, 25 + seed)
    result = made(tmp_path, *line)
    assert result["rankings"] and (tmp_path / "out" / "report.html").is_file()


def test_two_studies_that_sweep_different_parameters(writer, tmp_path):
    for width in ("64", "128"):
        tags = {h.LABEL_TAG: f"width={width}", "ganvas.model": "gan", h.CONFIGURATION_TAG: f"w{width}"}
        for seed in (1, 2):
            run_id = replace(writer, study="try").run("x", {**tags, h.ROLE: h.RUN, "ganvas.seed": str(seed)})
            writer.client.log_metric(run_id, SCORE, 20.0 + seed)
            writer.client.set_terminated(run_id)
    for lr in (0.001, 0.002):
        for seed in (1, 2):
            replace(writer, study="mine").seed_run("gan", lr, seed, 30.0 + seed, protocol=PROTOCOL)
    result = made(tmp_path, "mine", "try")
    labels = {c["configuration"] for ranking in result["rankings"] for c in ranking["configurations"]}
    assert labels == {"mine: optimizer.lr=0.001", "mine: optimizer.lr=0.002", "try: width=64", "try: width=128"}


@pytest.mark.usefixtures("unpainted")
@pytest.mark.parametrize(
    "tag", ["abc", "", *(pytest.param(t, marks=pytest.mark.slow) for t in ("1.5", "None", "9" * 40))]
)
def test_a_run_with_a_seed_that_is_none_is_named_and_left_out(study, tmp_path, capsys, tag):
    run_id = study.seed_run("gan", 0.001, 1, 30.0)
    study.client.set_tag(run_id, h.SEED_TAG, tag)
    result = made(tmp_path, "lucic")
    assert [run_id in sentence and repr(tag) in sentence for sentence in result["left_out"]] == [True]
    assert f"run {run_id} is left out" in capsys.readouterr().out
    assert f"run {run_id} is left out" in (tmp_path / "out" / "report.html").read_text()
    assert run_id not in (tmp_path / "out" / "runs.csv").read_text()


@pytest.mark.usefixtures("unpainted")
def test_no_cell_of_a_table_is_a_formula(study, tmp_path):
    label = "=HYPERLINK(1)"
    for seed, reason in enumerate(("=1+1", "+cmd", "-cmd", "@SUM(A1)", "-0.5"), 11):
        study.seed_run("gan", 0.5, seed, None, outcome="error", reason=reason)
    study.client.set_tag(study.seed_run("gan", 0.001, 9, 30.0), "ganvas.model", label)
    made(tmp_path, "lucic")
    with open(tmp_path / "out" / "runs.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    cells = {cell for row in rows for cell in row.values()}
    assert {f"'{label}", "'=1+1", "'+cmd", "'-cmd", "'@SUM(A1)", "-0.5"} <= cells
    assert not [cell for cell in cells if cell[:1] in "=+@" and cell]


@pytest.mark.usefixtures("unpainted")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no study named"),
        (["lucik"], "the store has the studies lucic"),
        (["lucic", "score=score/mnist/fid"], "score/mnist/fd"),
        (["lucic", "baseline=model"], "no configuration is called 'model'; there are"),
        (["lucic", "direction=down"], "lower or higher"),
        (["lucic", "scor=x"], "did you mean score?"),
        (["lucic", "open=${open}"], "open=${open}"),
    ],
)
def test_bad_input_is_told_in_one_message_and_writes_no_page(study, tmp_path, capsys, arguments, said):
    assert cli.main(["report", *arguments, f"paths.output={tmp_path / 'out'}"]) == 2
    error = capsys.readouterr().err
    assert said in error and "Traceback" not in error
    assert not list(tmp_path.rglob("report.html"))


def test_no_store_is_created_to_read_from(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["report", "lucic"]) == 2
    assert "there is no MLflow store" in capsys.readouterr().err
    assert not (tmp_path / "mlflow.db").exists()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_thousand_runs_take_fifteen_seconds(writer, tmp_path):
    for i in range(250):
        for seed in range(1, 5):
            writer.seed_run(("gan", "wgan_gp")[i % 2], 0.001 * (i + 1), seed, 20 + i % 7 + seed / 9, files=i < 8)
    # As a user has it: a process of its own, its start included, without the type checks of the tests.
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "ganvas", "report", "lucic", f"paths.output={tmp_path / 'out'}"], check=True)
    took = time.perf_counter() - began
    assert (tmp_path / "out" / "report.html").is_file() and took <= 15


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 480])
def test_page_in_a_browser_has_every_image_and_no_overflow(study, tmp_path, width):
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium on the path")
    made(tmp_path, "lucic")
    page = (tmp_path / "out" / "report.html").read_text()
    probe = """<script>addEventListener('load', () => {
      const broken = [...document.images].filter(i => !i.complete || !i.naturalWidth).length;
      const d = document.documentElement;
      d.setAttribute('data-found', [document.images.length, broken, d.scrollWidth - d.clientWidth].join(' '));
    })</script></body>"""
    (tmp_path / "probe.html").write_text(page.replace("</body>", probe))
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--window-size={width},900", "--dump-dom"]
    done = subprocess.run([*command, (tmp_path / "probe.html").as_uri()], capture_output=True, text=True, timeout=120)
    images, broken, overflow = map(int, re.search(r'data-found="(\d+) (\d+) (-?\d+)"', done.stdout).groups())
    assert images >= 14 and broken == 0 and overflow <= 0
