"""What a researcher does in MLflow's UI, in a real browser: find the best run, compare runs, find unhealthy ones.

``GANVAS_PICTURES=docs/pictures pytest -m slow tests/commands/test_ui_in_a_browser.py`` trains the demo with its whole
budget, which takes minutes, and makes the screenshots of docs/how-to/compare_in_mlflow.md.
"""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from mlflow.tracking import MlflowClient
from PIL import Image
from tests.servers import free_port
from tests.tiny import TINY, project

from ganvas.cli import main
from ganvas.tracking.hierarchy import ROLE, RUN, UNHEALTHY_TAG
from ganvas.tracking.store import tracking_uri

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install '.[browser]'")
PICTURES = os.environ.get("GANVAS_PICTURES") and Path(os.environ["GANVAS_PICTURES"]).absolute()
EVERY = 40_000 if PICTURES else 1600
DEMO = ["experiment=demo_gan,demo_wgan_gp,demo_vae", "score.every=20000", *"grid.rows=4 grid.columns=6".split()]
SMOKE = ["model=gan,wgan_gp,vae", *TINY, "budget.images=3200", "score.n=200"]
HEALTHY = "healthy s3 · none"
PATIENCE = 60_000
CARD, SECTION = "experiment-view-compare-runs-card", "experiment-view-compare-runs-section-header"


@pytest.fixture(scope="module")
def ui(tmp_path_factory, template):
    """Three families, an unhealthy and a healthy run, the addresses that the command prints, and a browser."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium on the path")
    with project(tmp_path_factory.mktemp("ui"), template):
        sweep = ["-m", "study=families", "seed=1", *(DEMO if PICTURES else SMOKE), f"grid.every={EVERY}"]
        assert main(["train", *sweep]) == 0
        assert main(["train", "model=gan", "seed=2", *TINY]) == 0  # 640 images: it cannot be healthy
        client = MlflowClient(tracking_uri())
        experiment = client.get_experiment_by_name("ganvas").experiment_id
        runs = client.search_runs([experiment], f"tags.`{ROLE}` = '{RUN}'")
        (short,) = client.search_runs([experiment], "tags.`ganvas.seed` = '2'")
        client.create_run(experiment, tags={ROLE: RUN, UNHEALTHY_TAG: ""}, run_name=HEALTHY)
        command = [sys.executable, "-m", "ganvas", "ui", "--port", str(free_port()), "--no-browser"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            found = dict(_printed(server))
            with playwright.sync_playwright() as driver:
                chromium = driver.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
                yield SimpleNamespace(addresses=found, runs=runs, short=short, chromium=chromium)
                chromium.close()
        finally:
            server.send_signal(signal.SIGTERM)
            assert server.wait(60) == 128 + signal.SIGTERM


def _printed(server):
    """Names and addresses up to that of the study's configurations, which is the last."""
    for line in server.stdout:
        name, _, address = line.strip().rpartition(": ")
        if "#/experiments/" in address:
            yield name, address
        if name == "Study families: configurations":
            return


@pytest.fixture
def page(ui):
    """A page of a visitor who has never been here."""
    context = ui.chromium.new_context(viewport={"width": 1600, "height": 900})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    yield page
    context.close()


def opened(page, address, shows):
    """Open an address, wait for what it shows, and close the assistant that MLflow opens for new visitors."""
    page.goto(address)
    page.get_by_text(shows).first.wait_for()
    if (assistant := page.get_by_role("button", name="Close")).count():
        assistant.first.click()


def picture(page, name):
    """Keep a screenshot; fewer pixels and colours make it small."""
    if PICTURES:
        path = PICTURES / f"{name}.png"
        page.mouse.move(5, 890)
        page.wait_for_timeout(2000)
        page.screenshot(path=path)
        small = Image.open(path).convert("RGB").resize((1200, 675), Image.Resampling.LANCZOS)
        small.quantize(256, kmeans=3, dither=Image.Dither.NONE).save(path, optimize=True)


def names(page):
    """Names of the runs in the table, from the top."""
    links = page.locator('[role="gridcell"] a').all_inner_texts()
    return [text.strip() for text in links if "·" in text]


def search(page, text, n):
    """Filter the table, and wait for the number of runs that it tells."""
    page.get_by_test_id("search-box").fill(text)
    page.get_by_test_id("search-box").press("Enter")
    page.get_by_text(f"{n} matching run").wait_for()


def test_the_best_run_of_all_and_of_a_family_stands_first(ui, page):
    opened(page, ui.addresses["Best by fd (mnist)"], ui.short.info.run_name)
    best = sorted([*ui.runs, ui.short], key=lambda run: run.data.metrics["score/mnist/fd"])
    assert names(page) == [run.info.run_name for run in best]
    picture(page, "mlflow-best")
    search(page, "metrics.`score/mnist/fd` > -1 AND params.model = 'gan'", 2)
    assert names(page) == [run.info.run_name for run in best if run.data.params["model"] == "gan"]


def test_curves_of_three_families_go_by_images_seen(ui, page):
    opened(page, ui.addresses["Study families"] + "&compareRunsMode=CHART", "val/mnist")
    sections = [text.split("(")[0].strip() for text in page.get_by_test_id(SECTION).all_inner_texts()]
    assert sections[:4] == ["val/mnist", "train", "Model metrics", "score/mnist"]
    curve = page.get_by_test_id(CARD).filter(has_text="val/mnist/fd").first
    for run in ui.runs:
        curve.get_by_text(f"{run.info.run_name} (val/mnist/fd)").wait_for(state="attached")
    lines = curve.locator(".js-plotly-plot").evaluate("plot => plot.data.map(line => [line.name, line.x])")
    ends = {name: max(x) for name, x in lines if x}
    budgets = {run.info.run_name: int(run.data.params["budget.images"]) for run in ui.runs}
    assert ends == pytest.approx(budgets, rel=0.1)  # the last scoring in training is near the end
    picture(page, "mlflow-curves")


def test_samples_of_three_families_stand_side_by_side(ui, page):
    opened(page, ui.addresses["Study families"] + "&compareRunsMode=CHART", "val/mnist")
    samples = page.get_by_test_id(CARD).filter(has=page.locator("h4[title=samples]"))
    page.get_by_test_id("experiment-view-compare-runs-chart-area").hover()
    for _ in range(100):  # cards are made when they come near
        if samples.count():
            break
        page.mouse.wheel(0, 200)
        page.wait_for_timeout(300)
    samples.evaluate("card => card.scrollIntoView({block: 'start'})")
    for step in (0, 2 * EVERY):
        field = samples.locator("input[type=number]")
        field.fill(str(step))
        field.blur()
        shown = samples.locator(f'img[src*="step%2B{step}%2B"]')
        shown.nth(2).wait_for()
        assert shown.count() == 3
        page.wait_for_function("shown => shown.every(one => one.naturalWidth > 0)", arg=shown.element_handles())
    boxes = [shown.nth(i).bounding_box() for i in range(3)]
    assert max(box["y"] for box in boxes) < min(box["y"] + box["height"] / 2 for box in boxes)
    picture(page, "mlflow-samples")


def test_unhealthy_runs_are_listed_alone_and_left_out(ui, page):
    opened(page, ui.addresses["Unhealthy"], ui.short.info.run_name)
    warned = {run.info.run_name: bool(run.data.tags[UNHEALTHY_TAG]) for run in [*ui.runs, ui.short]}
    unhealthy = sorted(name for name in warned if warned[name])
    assert sorted(names(page)) == unhealthy
    picture(page, "mlflow-unhealthy")
    healthy = sorted([HEALTHY, *(name for name in warned if not warned[name])])
    search(page, f"tags.`{UNHEALTHY_TAG}` = ''", len(healthy))
    assert sorted(names(page)) == healthy


def test_a_report_leads_to_the_pages_of_its_runs(ui, page, monkeypatch):
    """The addresses of a store behind a server, as a team has it; the one of `ganvas ui` differs in the port alone."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", ui.addresses["Study families"].partition("/#")[0])
    assert main(["report", "families"]) == 0
    report = Path("outputs/families/report.html").absolute().as_uri()
    for run in ui.runs:
        page.goto(report)
        links = page.locator(f'a[title="{run.info.run_id}"]')
        assert links.first.inner_text() == run.info.run_id[:8]
        links.first.click()
        page.get_by_text(run.info.run_name).first.wait_for()
        page.get_by_text(run.info.run_id).first.wait_for()
