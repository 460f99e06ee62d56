"""Weights that are downloaded: what is verified, what is trusted at first use, and what is refused."""

import hashlib
import io
import json

import pytest
import torch
from safetensors.torch import save_file

from ganvas.extractors import published
from ganvas.extractors.checksum import WeightsError
from ganvas.extractors.published import Published, downloaded, load_strictly, read_state, weights_file

CONTENT = b"tensors"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PLAIN = Published("https://files.example/net.pth", "net.pth")
ON_HUB = Published.on_hub("owner/net", "model.safetensors")


@pytest.fixture
def internet(monkeypatch, tmp_path):
    """A hub that states a checksum, and files that are sent; returns what is sent and what is stated."""
    sent = {"content": CONTENT, "stated": SHA256, "asked": []}
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))

    def download(url, path):
        sent["asked"].append(url)
        with open(path, "wb") as file:
            file.write(sent["content"])

    def record(url, timeout):
        sent["asked"].append(url)
        others = [{"path": "README.md", "oid": "1"}, {"path": "pytorch_model.bin", "lfs": {"oid": "2" * 64}}]
        return io.BytesIO(json.dumps([*others, {"path": "model.safetensors", "lfs": {"oid": sent["stated"]}}]).encode())

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    monkeypatch.setattr(published.urllib.request, "urlopen", record)
    return sent


def test_a_file_of_the_hub_must_have_the_checksum_of_its_record(internet, capsys):
    path = downloaded(ON_HUB)
    assert internet["asked"] == [
        "https://huggingface.co/api/models/owner/net/tree/main",
        "https://huggingface.co/owner/net/resolve/main/model.safetensors",
    ]
    assert path.read_bytes() == CONTENT and path.name == "owner--net--model.safetensors"
    assert f"{SHA256} (as the hub states)" in capsys.readouterr().err
    assert downloaded(ON_HUB) == path and len(internet["asked"]) == 2 and not capsys.readouterr().err


def test_a_download_that_is_not_the_stated_file_is_refused_and_downloaded_again(internet):
    internet["content"] = b"damaged"
    for _ in range(2):
        with pytest.raises(WeightsError, match=f"expected SHA-256 {SHA256}, got"):
            downloaded(ON_HUB)
    internet["content"] = CONTENT
    assert downloaded(ON_HUB).read_bytes() == CONTENT


def test_a_file_of_the_hub_without_a_note_is_compared_with_the_record(internet, tmp_path):
    """As after a stop between the download and the note."""
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / ON_HUB.name).write_bytes(b"others")
    with pytest.raises(WeightsError, match=f"expected SHA-256 {SHA256}, got"):
        downloaded(ON_HUB)


def test_a_file_without_a_published_checksum_is_trusted_once(internet, capsys):
    path = downloaded(PLAIN)
    note = path.with_name("net.pth.sha256")
    assert internet["asked"] == [PLAIN.url] and note.read_text().strip() == SHA256
    assert f"SHA-256 {SHA256} (of the first download" in capsys.readouterr().err
    path.write_bytes(b"others")
    with pytest.raises(WeightsError, match=f"expected SHA-256 {SHA256}"):
        downloaded(PLAIN)


def test_a_failed_download_names_the_fix(internet, monkeypatch):
    def offline(*_, **__):
        raise OSError("no route")

    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(WeightsError, match=r"no route\).*extractor.weights=PATH"):
        downloaded(PLAIN)
    monkeypatch.setattr(published.urllib.request, "urlopen", offline)
    with pytest.raises(WeightsError, match="no route"):
        downloaded(ON_HUB)


def test_a_local_file_is_taken_as_it_is_and_must_be_there(internet, tmp_path):
    path = tmp_path / "own.pth"
    with pytest.raises(ValueError, match="not a file"):
        weights_file(PLAIN, str(path))
    path.write_bytes(b"x")
    assert weights_file(PLAIN, str(path)) == path and not internet["asked"]


def test_tensors_are_read_from_both_kinds_of_files_and_nothing_else(tmp_path):
    tensors = {"a": torch.arange(3.0)}
    torch.save({"model": tensors}, tmp_path / "a.pth")
    save_file(tensors, tmp_path / "a.safetensors")
    assert torch.equal(read_state(tmp_path / "a.pth")["model"]["a"], tensors["a"])
    assert torch.equal(read_state(tmp_path / "a.safetensors")["a"], tensors["a"])
    torch.save([1], tmp_path / "list.pth")
    with pytest.raises(ValueError, match="holds a list"):
        read_state(tmp_path / "list.pth")
    for name in ("bad.pth", "bad.safetensors"):
        (tmp_path / name).write_bytes(b"no tensors")
        with pytest.raises(ValueError, match="holds no plain tensors"):
            read_state(tmp_path / name)


@pytest.mark.parametrize("change", [{"weight": None}, {"more": torch.ones(1)}, {"weight": torch.ones(2, 2)}])
def test_all_weights_and_no_other_ones(change, tmp_path):
    network = torch.nn.Linear(2, 1)
    state = {name: x for name, x in {**network.state_dict(), **change}.items() if x is not None}
    with pytest.raises(ValueError, match=r"does not hold the weights of net"):
        load_strictly(network, state, tmp_path, "net")
