"""What `ganvas doctor` finds."""

import re
from pathlib import Path

from ganvas.cli import main
from ganvas.commands import doctor

ROOT = Path(__file__).parents[2]


def test_doctor_tells_what_is_here_from_what_is_not(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANVAS_DATA", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "MNIST" / "raw").mkdir(parents=True)
    monkeypatch.setattr(doctor.torch.hub, "get_dir", lambda: str(tmp_path))
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    lines = {line.split()[0]: line for line in said.splitlines() if line.startswith("  ")}
    assert lines["mnist"].endswith("prdc of 28x28 grey images") and "data=cifar10 downloads it" in said
    assert lines["cifar10"].endswith("prdc of 32x32 colour images")
    assert "not here: data=mnist downloads it" in said  # a download that failed leaves the empty folder
    (tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte").touch()
    assert main(["doctor"]) == 0 and "data=mnist downloads it" not in capsys.readouterr().out
    assert "the first training makes it" in lines["MLflow"] and "not here" in lines["inception"]
    assert not (tmp_path / "mlflow.db").exists() and "threads" in lines["torch"]


def test_doctor_knows_every_data_set_that_is_downloaded():
    conf = ROOT / "conf" / "data"
    assert {path.stem for path in conf.glob("*.yaml") if "\nroot: " in path.read_text()} == set(doctor.DATA)


def test_doctor_knows_every_extra_of_a_user():
    extras = (ROOT / "pyproject.toml").read_text().split("[project.optional-dependencies]")[1].split("\n[")[0]
    named = set(re.findall(r"^(\w+) = ", extras, re.MULTILINE)) - {"dev", "docs", "browser"}
    assert {name for name, _ in doctor.EXTRAS.values()} == {*named, "codecarbon"}


def test_an_address_is_shown_without_its_password(monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://me:secret@127.0.0.1:9/store")
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert "postgresql://me:***@127.0.0.1:9/store: DOES NOT ANSWER" in text and "secret" not in text
