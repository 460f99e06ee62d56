"""What the report's page says beside the statistics: health, scale, runs, and a script that sorts."""

import json
import re
import shutil
import subprocess
import webbrowser
from pathlib import Path

import pytest
from mlflow.entities import Param

from ganvas import cli
from ganvas.reports import page as ganvas_page
from ganvas.reports.plots.parameters import _on_log_axis
from ganvas.reports.plots.theme import Picture, Spot
from ganvas.reports.ranking import Ranking
from ganvas.reports.studies import load
from ganvas.tracking import hierarchy as h

from .conftest import PROTOCOL, SCORE, read_json

BEST = "model=wgan_gp optimizer.lr=0.001"


@pytest.fixture(autouse=True)
def unpainted_unless_slow(request):
    if request.node.get_closest_marker("slow") is None:
        request.getfixturevalue("unpainted")


def made(*arguments):
    assert cli.main(["report", "lucic", *arguments]) == 0
    return read_json(Path("outputs/lucic/report/result.json"))


def conclusion(*arguments):
    (ranking,) = made(*arguments)["rankings"]
    return ranking["conclusion"]


def collapsed(writer, lr, score, warns, seeds=(1, 2)):
    for seed, checks in zip(seeds, warns, strict=True):
        writer.seed_run("wgan_gp", lr, seed, score + seed / 10, warns=checks)


def test_a_configuration_whose_seeds_all_collapsed_is_not_simply_the_best(writer):
    collapsed(writer, 0.001, 5, [("class_coverage", "critic_gap"), ("class_coverage",)])
    collapsed(writer, 0.002, 9, [("critic_gap",), ()])
    collapsed(writer, 0.003, 20, [(), ()])
    first, *_, second = conclusion()
    assert first.startswith("Best mean, but unhealthy: optimizer.lr=0.001, fd 5.15 [")
    assert first.endswith("over 2 seeds: class_coverage warns in 2 of 2 seeds; critic_gap warns in 1 of 2 seeds.")
    assert second.startswith("Best mean with a healthy seed: optimizer.lr=0.002, fd 9.15 [")
    assert second.endswith("over 2 seeds, although critic_gap warns in 1 of 2 seeds.")
    page = Path("outputs/lucic/report.html").read_text()
    assert '<div class="card finding unhealthy">' in page and "class_coverage 2/2" in page


def test_some_warnings_are_said_and_none_changes_nothing(writer):
    collapsed(writer, 0.001, 5, [("class_coverage",), ()])
    collapsed(writer, 0.002, 9, [("class_coverage",), ("class_coverage",)])
    assert "over 2 seeds, but class_coverage warns in 1 of 2 seeds." in (said := conclusion())[0] and len(said) == 2


def test_without_a_healthy_configuration_that_is_said(writer):
    collapsed(writer, 0.001, 5, [("class_coverage",), ("class_coverage",)])
    assert conclusion()[-1] == "No configuration has a healthy seed, one without a health warning."


def test_floor_and_ceiling_are_those_of_the_protocol(writer):
    run_id = writer.seed_run("gan", 0.001, 1, 20.0)
    known = {
        "protocols": {SCORE: PROTOCOL.as_dict()},
        "calibration": {
            "floor": {SCORE: 1.25},
            "ceiling": {SCORE: 432.1},
            "of": {"floor": "9 real", "ceiling": "<b>"},
        },
    }
    writer.client.log_dict(run_id, known, "scores/result.json")
    made()
    page = Path("outputs/lucic/report.html").read_text()
    assert "<strong>floor 1.25</strong> (9 real)" in page and "<strong>ceiling 432.1</strong> (&lt;b&gt;)" in page
    known["protocols"][SCORE]["conditions"] = {**PROTOCOL.conditions, "n_fake": 7}
    writer.client.log_dict(run_id, known, "scores/result.json")
    made()
    assert "432.1" not in Path("outputs/lucic/report.html").read_text()


def test_every_seed_has_its_run_and_its_checkpoints(writer, tmp_path):
    run_id = writer.seed_run("gan", 0.001, 7, 20.0, warns=["critic_gap"])
    (tmp_path / "best.ckpt").write_bytes(b"x")
    writer.client.log_artifact(run_id, str(tmp_path / "best.ckpt"), "checkpoints")
    made()
    page = Path("outputs/lucic/report.html").read_text()
    table = page[page.index("-seeds") :]
    assert f"http://127.0.0.1:5000/#/experiments/{writer.experiment}/runs/{run_id}" in table
    (address,) = re.findall(r'href="(file://[^"]*best.ckpt)"', table)
    assert Path(address.removeprefix("file://")).read_bytes() == b"x" and "last.ckpt" not in table
    assert '<span class="chip warn">critic_gap</span>' in table


def test_the_page_lies_beside_the_sweep_whose_result_stays(writer):
    writer.seed_run("gan", 0.001, 1, 20.0)
    Path("outputs/lucic").mkdir(parents=True)
    Path("outputs/lucic/result.json").write_text('{"study": "lucic"}')
    assert made()["page"] == str(Path("outputs/lucic/report.html").absolute())
    assert json.loads(Path("outputs/lucic/result.json").read_text()) == {"study": "lucic"}
    assert Path("outputs/lucic/report/runs.csv").is_file()


@pytest.mark.parametrize("works", [True, False])
def test_open_asks_for_a_browser(writer, monkeypatch, capsys, works):
    writer.seed_run("gan", 0.001, 1, 20.0)
    asked = []
    monkeypatch.setattr(webbrowser, "open", lambda address: asked.append(address) or works)
    made("--open")
    assert asked == [Path("outputs/lucic/report.html").absolute().as_uri()]
    assert ("no browser was found" in capsys.readouterr().out) is not works


def test_a_parameter_has_the_axis_of_its_search(writer):
    root = writer.run("lucic", {h.ROLE: h.STUDY})
    writer.client.log_batch(root, params=[Param(h.LOG_SCALE, "optimizer.lr")])
    for lr in (0.001, 0.0015):
        writer.seed_run("gan", lr, 1, 20.0)
    logarithmic = load(writer.client, ["lucic"]).logarithmic
    assert logarithmic == {"optimizer.lr"}
    ranking = Ranking(SCORE, True, "", [], None, logarithmic)
    assert _on_log_axis(ranking, "optimizer.lr", [0.001, 0.0015]) and not _on_log_axis(ranking, "dim", [0.001, 0.0015])
    assert _on_log_axis(ranking, "width", [64.0, 128.0, 256.0]) and not _on_log_axis(ranking, "width", [1.0, 2.0, 3.0])
    assert not _on_log_axis(ranking, "optimizer.lr", [0.0, 1.0])


def test_the_script_has_no_text_of_a_run_and_texts_are_escaped(writer, monkeypatch):
    hostile = '"><script>alert(1)</script>'
    drawn = Picture("ranking", "alt", b"", b"", (Spot(0.5, 0.5, hostile),))
    monkeypatch.setattr(ganvas_page, "_pictures", lambda *arguments: [drawn])
    writer.client.set_tag(writer.seed_run("gan", 0.001, 1, 20.0), "ganvas.model", hostile)
    made()
    page = Path("outputs/lucic/report.html").read_text()
    assert page.count("<script") == 1 and page.count("alert(1)&lt;/script&gt;") >= 3


@pytest.mark.slow
def test_a_click_on_a_head_sorts_and_a_phone_has_no_overflow(study, tmp_path):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium on the path")
    made()
    probe = """<script>addEventListener('load', () => {
      const table = document.querySelector('table.sortable'), head = table.tHead.rows[0].cells[1];
      const first = () => table.tBodies[0].rows[0].cells[1].textContent;
      const seen = [first()]; head.click(); seen.push(first()); head.click(); seen.push(first());
      const d = document.documentElement, tips = document.querySelectorAll('.plot i').length;
      d.setAttribute('data-found', [...seen, tips, d.scrollWidth - d.clientWidth].join(' '));
    })</script></body>"""
    page = Path("outputs/lucic/report.html").read_text()
    (tmp_path / "probe.html").write_text(page.replace("</body>", probe))
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=390,2000", "--dump-dom"]
    done = subprocess.run([*command, (tmp_path / "probe.html").as_uri()], capture_output=True, text=True, timeout=120)
    found = re.search(r'data-found="([^"]*)"', done.stdout).group(1).split()
    before, up, down, tips, overflow = map(float, found)
    assert before == up < down and tips >= 20 and overflow <= 0
