"""A checkpoint is believed if its content is what was written, and not otherwise."""

import random
import zipfile

import pytest
import torch

from ganvas.storage.checkpoints import CheckpointError, damage, newest, read, write


@pytest.fixture
def path(tmp_path):
    weights = torch.randn(100, 100, generator=torch.Generator().manual_seed(0))
    write(tmp_path / "last.ckpt", {"images_seen": 64, "state_dict": {"w": weights}, "config": "seed: 1"})
    return tmp_path / "last.ckpt"


def test_no_flipped_bit_is_believed(path):
    whole, generator = path.read_bytes(), random.Random(0)
    positions = [generator.randrange(8 * len(whole)) for _ in range(60)]
    ends = [8 * (len(whole) - back) for back in range(1, 104)]  # the comment and the archive's last record
    for position in [0, *positions, *ends]:
        content = bytearray(whole)
        content[position // 8] ^= 1 << position % 8
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match="last.ckpt"):
            read(path)
    path.write_bytes(whole)
    assert read(path)["images_seen"] == 64 and damage(path) == ""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: b"", "does not end in the SHA-256"),
        (lambda content: b"text", "does not end in the SHA-256"),
        (lambda content: content[:-1], "does not end in the SHA-256"),
        (lambda content: content[:-79], "an old version of ganvas"),
        (lambda content: content[:500] + content[600:], "is damaged"),
        (lambda content: content + b"x", "does not end in the SHA-256"),
    ],
)
def test_what_is_not_whole_is_named(path, change, said):
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(CheckpointError, match=rf"last\.ckpt .*{said}"):
        read(path)
    assert said in damage(path)


def test_another_checkpoint_than_ours_is_refused(path):
    empty = {"images_seen": 1, "state_dict": {}}
    others = {
        "images_seen": {"w": torch.zeros(2)},
        "cannot be read": {"images_seen": 1, "code": torch.nn.Linear(1, 1)},
        "state_dict": {"images_seen": 1},
        "origin": empty | {"origin": [1]},
    }
    for said, other in others.items():
        write(path, other)
        with pytest.raises(CheckpointError, match=rf"last\.ckpt .*{said}"):
            read(path)
    write(path, empty)
    assert read(path) == empty
    with pytest.raises(CheckpointError, match=r"none\.ckpt cannot be read: No such file"):
        read(path.with_name("none.ckpt"))


def test_other_programs_read_it(path):
    assert torch.load(path, weights_only=True)["images_seen"] == 64
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None and archive.comment.startswith(b"ganvas sha256 ")


def test_the_newest_sound_checkpoint_of_a_folder(path, caplog):
    folder, previous = path.parent, path.with_name("last-1.ckpt")
    assert newest(folder / "none") is None
    write(previous, {"images_seen": 32})
    assert newest(folder) == path and not caplog.text
    path.write_bytes(b"")
    assert newest(folder) == previous
    assert str(path) in caplog.text and f"Going on from the checkpoint before it, {previous}" in caplog.text
    previous.write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"no checkpoint to go on from: .*last\.ckpt.*last-1\.ckpt"):
        newest(folder)
