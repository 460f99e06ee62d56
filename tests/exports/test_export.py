"""`ganvas export`: the folder reads back bit for bit, its graphs agree; a damaged or a stranger's one is refused."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import mlflow
import numpy as np
import pytest
import torch
import yaml
from hydra import compose, initialize_config_module
from mlflow.tracking import MlflowClient
from omegaconf import OmegaConf

import ganvas
from ganvas.cli import main
from ganvas.config import ConfigError, build
from ganvas.data.sources.npz import at_rest
from ganvas.exports import graphs, hub
from ganvas.exports.served import Served, example
from ganvas.scoring.subjects import open_model
from ganvas.storage import checkpoints
from ganvas.storage.checkpoints import CheckpointError
from ganvas.storage.exported import CONFIG, FACTS, WEIGHTS

from ..servers import free_port

SEEN = 640
KEY = "score/mnist/fd"
LINES = {
    "gan": ["model=wgan_gp", "network=dcgan"],
    "vae": ["model=vae", "network=mlp"],
    "ring": ["data=ring"],
    "dirac": ["data=ring", "network=dirac"],
}


def checkpoint(path, *line, run_id=""):
    """A checkpoint as a training of no steps would leave it."""
    with initialize_config_module("ganvas.conf", version_base="1.3"):
        config = compose("train", [*line, f"paths.output={path}", "paths.data=/home/somebody"])
    OmegaConf.resolve(config)
    torch.manual_seed(0)
    model = build(config.model)
    origin = {"run_id": run_id, "data": {"train": "ab12"}, "folder": "/home/somebody", "overrides": ["seed=1"]}
    content = {"config": OmegaConf.to_yaml(config), "state_dict": model.state_dict(), "images_seen": SEEN}
    checkpoints.write(path, {**content, "origin": origin})
    return path


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    return {name: checkpoint(folder / f"{name}.ckpt", *line) for name, line in LINES.items()}


@pytest.fixture
def no_onnx(monkeypatch):
    """The compiler of ONNX takes seconds."""
    monkeypatch.setattr(graphs, "_ONNX_PACKAGES", ("no_such_package",))


@pytest.fixture(scope="module")
def exported(sources, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(graphs, "_ONNX_PACKAGES", ("no_such_package",))
        for name, source in sources.items():
            assert main(["export", str(source), "--out", str(folder / name)]) == 0
    return folder


@pytest.fixture
def copy(exported, tmp_path):
    return shutil.copytree(exported / "vae", tmp_path / "copy")


@pytest.mark.parametrize("name", LINES)
def test_the_samples_are_the_same_bit_for_bit(sources, exported, name):
    before, after = ganvas.load(sources[name], device="cpu"), ganvas.load(exported / name, device="cpu")
    assert torch.equal(before.sample(5, seed=3), after.sample(5, seed=3)) and after.images_seen == SEEN
    kept = dict(after.model.state_dict())
    assert all(torch.equal(t, kept[key]) for key, t in before.model.state_dict().items())


def test_an_export_is_a_source_for_other_commands(exported, tmp_path):
    assert main(["sample", str(exported / "vae"), "-n", "4", "--out", str(tmp_path / "drawn")]) == 0
    drawn = np.load(tmp_path / "drawn" / "samples.npz")["images"]
    assert np.array_equal(drawn, at_rest(ganvas.load(exported / "vae").sample(4, seed=1000)))


@pytest.mark.parametrize("name", LINES)
def test_the_torch_graph_decodes_as_the_model_does(exported, name):
    model = ganvas.load(exported / name, device="cpu").model
    z = model.prior.sample(11, generator=torch.Generator().manual_seed(5))
    made = torch.export.load(exported / name / graphs.TORCH).module()(z)
    assert torch.allclose(made, model.decoded(z), atol=1e-5) and made.shape == (11, *model.shape)
    differences = json.loads((exported / name / "result.json").read_text())["differences"]
    assert differences == {graphs.TORCH: pytest.approx(0, abs=1e-5), graphs.ONNX: None}


def test_classes_are_an_input_of_a_conditional_export(tmp_path, no_onnx):
    line = ["model=projection_gan", "network=mlp", "network.generator.hidden=[8]", "classes=10"]
    source = checkpoint(tmp_path / "conditional.ckpt", *line)
    assert main(["export", str(source), "--out", str(tmp_path / "out")]) == 0
    subject = open_model(str(tmp_path / "out"), torch.device("cpu"))
    model, y = subject.model, torch.arange(4)
    z = model.prior.sample(4, generator=torch.Generator().manual_seed(5))
    made = torch.export.load(tmp_path / "out" / graphs.TORCH).module()(z, y)
    assert torch.allclose(made, model.decoded(z, y), atol=1e-5)
    served, request = Served(subject), example(model)
    assert list(request) == ["n", "seed", "label"]
    answers = served.predict(request.assign(n=[3], seed=[7], label=[6]))
    assert np.array_equal(answers, at_rest(model.sample(3, 7, torch.full((3,), 6))))
    assert np.array_equal(served.predict(request[["n", "seed"]]), at_rest(model.sample(2, 0)))
    card = (tmp_path / "out" / "README.md").read_text()
    assert "and classes to examples" in card and "there are 10" in card and "unconditional" not in card


@pytest.mark.slow
@pytest.mark.parametrize("name", LINES)
def test_the_onnx_graph_decodes_as_the_model_does(sources, tmp_path, name):
    onnxruntime = pytest.importorskip("onnxruntime")
    assert main(["export", str(sources[name]), "--out", str(tmp_path)]) == 0
    model = ganvas.load(tmp_path, device="cpu").model
    z = model.prior.sample(11, generator=torch.Generator().manual_seed(5))
    session = onnxruntime.InferenceSession(tmp_path / graphs.ONNX, providers=["CPUExecutionProvider"])
    made = session.run(["x"], {"z": z.numpy()})[0]
    assert np.abs(made - model.decoded(z).numpy()).max() <= graphs.TOLERANCE
    assert json.loads((tmp_path / "result.json").read_text())["differences"][graphs.ONNX] <= graphs.TOLERANCE


def test_a_graph_that_differs_from_the_model_is_not_kept(sources, tmp_path, monkeypatch, no_onnx):
    load = torch.export.load

    def off(path):
        module = load(path).module()
        return SimpleNamespace(module=lambda: lambda z: module(z) + 2e-4)

    monkeypatch.setattr(torch.export, "load", off)
    assert main(["export", str(sources["vae"]), "--out", str(tmp_path)]) == 0
    lacking = json.loads((tmp_path / "result.json").read_text())["lacking"]
    assert "differs from the model by 2.0e-04" in lacking[graphs.TORCH] and not (tmp_path / graphs.TORCH).exists()
    assert "no_such_package not installed" in lacking[graphs.ONNX]


def test_nothing_of_the_person_who_trained_travels(exported):
    files = (exported / "vae").iterdir()
    public = [file for file in files if file.suffix in (".yaml", ".json", ".md") and file.name != "result.json"]
    assert len(public) == 3 and not [file.name for file in public if "somebody" in file.read_text()]


def test_a_damaged_export_is_refused(copy):
    for name in (CONFIG, WEIGHTS):
        whole = (copy / name).read_bytes()
        (copy / name).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(CheckpointError, match=f"{name} is not the file that was exported"):
            ganvas.load(copy)
        (copy / name).write_bytes(whole)
    for facts in ("", "[]", '{"images_seen": 1}'):
        (copy / FACTS).write_text(facts)
        with pytest.raises(CheckpointError, match="not a file of `ganvas export`"):
            ganvas.load(copy)


def with_digests(folder):
    facts = json.loads((folder / FACTS).read_text())
    facts["sha256"] = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in (CONFIG, WEIGHTS)}
    (folder / FACTS).write_text(json.dumps(facts))


def test_a_strangers_export_runs_no_code(copy, tmp_path):
    config = yaml.safe_load((copy / CONFIG).read_text())
    config["model"]["prior"] = {"_target_": "os.mkdir", "path": str(tmp_path / "ran")}
    (copy / CONFIG).write_text(yaml.safe_dump(config))
    with_digests(copy)
    with pytest.raises(ConfigError, match=r"model.prior._target_ names 'os.mkdir', which is not a part of ganvas"):
        ganvas.load(copy)
    assert not (tmp_path / "ran").exists()


def test_weights_that_are_none_are_refused(copy):
    (copy / WEIGHTS).write_bytes(b"\x80\x04pickle")
    with_digests(copy)
    with pytest.raises(CheckpointError, match="cannot be read"):
        ganvas.load(copy)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["@vae", "--register", "a/b"], "register=a/b: expected letters"),
        (["@vae", "--push", "alone"], "write --push OWNER/NAME"),
        (["@vae", "--push", "me/it"], "pip install"),
        (["nowhere.ckpt"], "nowhere.ckpt"),
        ([], "no SOURCE"),
    ],
)
def test_bad_input_is_one_message(sources, tmp_path, monkeypatch, capsys, line, said):
    monkeypatch.setattr(hub, "find_spec", lambda name: None)
    monkeypatch.chdir(tmp_path)
    line = [str(sources[word[1:]]) if word.startswith("@") else word for word in line]
    assert main(["export", *line, "--out", "out"]) == 2
    assert said in capsys.readouterr().err and not (tmp_path / "out" / WEIGHTS).exists()


def test_the_output_folder_of_a_training_is_not_written_over(sources, tmp_path, capsys):
    shutil.copy(sources["vae"], tmp_path / "last.ckpt")
    assert main(["export", str(tmp_path), "--out", str(tmp_path)]) == 2
    assert "the output folder of a training" in capsys.readouterr().err


def test_an_upload_is_one_commit_of_the_exported_files(exported, tmp_path, monkeypatch, no_onnx):
    calls = []

    class HfApi:
        def create_repo(self, repo_id, *, repo_type, private, exist_ok):
            calls.append(("create", repo_id, repo_type, private, exist_ok))
            return f"https://hub/{repo_id}"

        def upload_folder(self, *, repo_id, repo_type, folder_path, allow_patterns, commit_message):
            calls.append(("upload", repo_id, folder_path, sorted(allow_patterns)))

    fake = ModuleType("huggingface_hub")
    fake.HfApi = HfApi
    fake.__spec__ = SimpleNamespace(name="huggingface_hub")
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)
    out = tmp_path / "out"
    assert main(["export", str(exported / "vae"), "--out", str(out), "--push", "me/it"]) == 0
    files = ["README.md", "config.yaml", "decoder.pt2", "export.json", "model.safetensors", "samples.png"]
    assert calls == [("create", "me/it", "model", True, True), ("upload", "me/it", str(out), files)]
    assert json.loads((out / "result.json").read_text())["pushed"] == "https://hub/me/it"


@pytest.fixture
def run(store):
    """A run of the store that has ended, with results, costs and a checkpoint."""
    client = MlflowClient(f"sqlite:///{store}/mlflow.db")
    experiment = client.create_experiment("digits", artifact_location=(store / "mlruns").as_uri())
    run_id = client.create_run(experiment).info.run_id
    trained = {"run_id": run_id, "name": "my run", "images_seen": SEEN}
    trained["scores"] = {KEY: {"value": 21.5, "interval": [21, 22]}}
    trained["findings"] = {"critic_gap": {"state": "warn", "value": 1, "reason": "The gap is wide."}}
    scored = {key: trained[key] for key in ("scores", "findings")}
    scored["calibration"] = {"floor": {KEY: 0.25}, "ceiling": {KEY: 108.0}, "of": {"floor": "500 of train"}}
    scored["fingerprints"] = {KEY: "abc"}
    scored["protocols"] = {KEY: {"fingerprint": "abc", "conditions": {"metric": "fd", "n_fake": 40}}}
    client.log_metric(run_id, "cost/energy_kwh", 0.125)
    for result, folder in ((trained, None), (scored, "scores")):
        (store / "result.json").write_text(json.dumps(result))
        client.log_artifact(run_id, str(store / "result.json"), folder)
    last = checkpoint(store / "last.ckpt", *LINES["vae"], run_id=run_id)
    client.log_artifact(run_id, str(last), "checkpoints")
    client.set_terminated(run_id)
    last.unlink()
    return run_id


def test_the_card_tells_scores_limits_and_energy(run, tmp_path, no_onnx):
    assert main(["export", run, "--out", "out", "license=apache-2.0"]) == 0
    _, head, card = (tmp_path / "out" / "README.md").read_text().split("---\n", 2)
    head = yaml.safe_load(head)
    assert (head["library_name"], head["license"]) == ("ganvas", "apache-2.0")
    (metric,) = head["model-index"][0]["results"][0]["metrics"]
    assert metric == {"type": "fd", "name": KEY, "value": 21.5}
    assert "| `score/mnist/fd` | 21.5 ± 0.5 | 0.25 | 108 | lower | `abc` |" in card
    assert "Protocol `abc`: metric fd, n_fake 40." in card and "what real images score (500 of train)" in card
    assert "The training took 0.125 kWh" in card and "- The gap is wide." in card and "- train: `ab12`" in card


def test_scores_of_other_weights_of_the_run_stay_away(run, tmp_path, no_onnx):
    other = torch.load(checkpoint(tmp_path / "other.ckpt", *LINES["vae"], run_id=run), weights_only=True)
    checkpoints.write(tmp_path / "other.ckpt", {**other, "images_seen": SEEN - 64})
    assert main(["export", "other.ckpt", "--out", "out"]) == 0
    card = (tmp_path / "out" / "README.md").read_text()
    assert "These weights have not been scored" in card and "21.5" not in card and "model-index" not in card


def test_a_registered_model_answers_with_the_models_samples(run, tmp_path, monkeypatch, no_onnx):
    for version in ("1", "2"):
        assert main(["export", run, "--out", "out", "--register", "digits"]) == 0
        assert json.loads((tmp_path / "out" / "result.json").read_text())["registered"] == f"models:/digits/{version}"
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    client = MlflowClient(uri)
    assert client.get_run(run).info.status == "FINISHED"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    served = mlflow.pyfunc.load_model("models:/digits/2")
    assert client.get_logged_model(served.model_id).source_run_id == run
    assert [column.name for column in served.metadata.signature.inputs] == ["n", "seed"]
    assert served.input_example is not None
    expected = at_rest(ganvas.load(tmp_path / "out", device="cpu").sample(3, seed=7))
    assert np.array_equal(served.predict({"n": [3], "seed": [7]}), expected) and expected.shape == (3, 28, 28)


@pytest.mark.slow
def test_mlflow_serves_images_over_loopback(run, tmp_path, no_onnx):
    assert main(["export", run, "--out", "out", "--register", "digits"]) == 0
    port = free_port()
    line = [sys.executable, "-m", "mlflow", "models", "serve", "-m", "models:/digits/1", "--env-manager", "local"]
    # MLflow starts uvicorn by its name, as in an activated environment.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db", "PATH": path}
    server = subprocess.Popen([*line, "-h", "127.0.0.1", "-p", str(port)], env=environment, start_new_session=True)
    try:
        answer = answered(server, port, {"dataframe_records": [{"n": 2, "seed": 7}, {"n": 1, "seed": 8}]})
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
    model = ganvas.load(tmp_path / "out", device="cpu")
    expected = np.concatenate([at_rest(model.sample(2, seed=7)), at_rest(model.sample(1, seed=8))])
    assert np.array_equal(np.array(answer["predictions"]), expected) and expected.shape == (3, 28, 28)


def answered(server, port, request):
    """Ask a server that may not have started yet."""
    kind = {"Content-Type": "application/json"}
    asked = Request(f"http://127.0.0.1:{port}/invocations", json.dumps(request).encode(), kind)
    deadline = time.monotonic() + 120
    while True:
        try:
            with urlopen(asked, timeout=60) as reply:
                return json.load(reply)
        except HTTPError:
            raise
        except URLError:
            assert time.monotonic() < deadline and server.poll() is None
            time.sleep(0.5)
