"""The reference cache: content decides, damage is seen, processes share."""

import subprocess
import sys
import time
import warnings
from dataclasses import fields, replace

import pytest
import torch

from ganvas.extractors.features import Features
from ganvas.scoring.cache import CacheKey, FeatureCache
from ganvas.storage import atomic
from ganvas.storage.store import Store

KEY = CacheKey("ab" * 32, "mnist", "cd" * 32, "none", 20, "test", 1, "0.4.0")


def features(n=20, logits=True):
    g = torch.Generator().manual_seed(0)
    made = torch.randn(n, 6, generator=g), torch.randn(n, 3, generator=g)
    return Features(made[0], made[1] if logits else None, KEY.extractor, KEY.weights_hash, (1, 28, 28))


class Counting:
    def __init__(self, found):
        self.found, self.calls = found, 0

    def __call__(self):
        self.calls += 1
        return self.found


def same(a, b):
    logits = a.logits is b.logits is None or torch.equal(a.logits, b.logits)
    named = (a.extractor, a.weights_hash, a.shape) == (b.extractor, b.weights_hash, b.shape)
    return torch.equal(a.values, b.values) and logits and named


@pytest.mark.parametrize("logits", [True, False])
def test_the_second_call_reads(tmp_path, logits):
    compute = Counting(features(logits=logits))
    first = FeatureCache(Store(tmp_path / "new")).features(KEY, compute)
    second = FeatureCache(Store(tmp_path / "new")).features(KEY, compute)
    assert compute.calls == 1 and same(first, second) and same(first, compute.found)


CHANGES = {
    "images": "x",
    "extractor": "x",
    "weights_hash": "x",
    "preprocessing": "x",
    "n": 21,
    "split": "x",
    "revision": 2,
    "library": "x",
    "kind": "float16",
}


def test_every_field_is_in_the_key():
    assert set(CHANGES) == {f.name for f in fields(CacheKey)}
    digests = {replace(KEY, **{name: value}).digest() for name, value in CHANGES.items()}
    assert len(digests | {KEY.digest()}) == len(CHANGES) + 1


def test_the_key_of_an_extractor(mnist_extractor):
    key = CacheKey.of(mnist_extractor, images="ab", n=3, split="test")
    assert (key.extractor, key.weights_hash, key.revision) == ("mnist", mnist_extractor.weights_hash, 1)
    assert key.preprocessing == mnist_extractor.preprocessing and key.library[0].isdigit()


def kept(folder):
    (path,) = folder.glob("*.safetensors")
    return path


def test_a_truncated_file_is_computed_again(tmp_path):
    compute = Counting(features())
    FeatureCache(Store(tmp_path)).features(KEY, compute)
    whole = kept(tmp_path).read_bytes()
    for length in (0, 5, 60, len(whole) // 2, len(whole) - 1):
        kept(tmp_path).write_bytes(whole[:length])
        with pytest.warns(UserWarning, match=r"cache file .* is damaged .*; computing its content again"):
            assert same(FeatureCache(Store(tmp_path)).features(KEY, compute), features())
        assert kept(tmp_path).read_bytes() == whole


def test_a_flipped_bit_is_seen_wherever_it_is(tmp_path):
    """In the tensors always; in the header it either does no harm or is seen."""
    compute = Counting(features())
    FeatureCache(Store(tmp_path)).features(KEY, compute)
    whole = kept(tmp_path).read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    for position in (*range(0, header, 7), *range(header, len(whole), 41), len(whole) - 1):
        damaged = bytearray(whole)
        damaged[position] ^= 4
        kept(tmp_path).write_bytes(damaged)
        before = compute.calls
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            assert same(FeatureCache(Store(tmp_path)).features(KEY, compute), features()), position
        if position >= header:
            assert compute.calls == before + 1 and "damaged" in str(said[0].message), position


def test_a_file_under_another_key_is_not_taken_at_its_name(tmp_path):
    FeatureCache(Store(tmp_path)).features(KEY, Counting(features()))
    other = replace(KEY, n=19)
    kept(tmp_path).rename(tmp_path / f"{other.digest()}.safetensors")
    with pytest.warns(UserWarning, match="damaged"):
        assert FeatureCache(Store(tmp_path)).features(other, Counting(features(19))).n == 19


def test_features_that_are_not_the_keys_are_refused(tmp_path):
    with pytest.raises(ValueError, match="key: of 20 images by 'mnist' .*, got features of 19 .*CacheKey.of"):
        FeatureCache(Store(tmp_path)).features(KEY, Counting(features(19)))
    assert not list(tmp_path.glob("*.safetensors"))


CODE = """
import sys, time, torch
from pathlib import Path
from ganvas.scoring.cache import CacheKey, FeatureCache
from ganvas.storage.store import Store
from ganvas.extractors.features import Features
folder = Path(sys.argv[1])
key = CacheKey("ab" * 32, "mnist", "cd" * 32, "none", 20, "test", 1, "0.4.0")
def compute():
    (folder / f"computed-{sys.argv[2]}").touch()
    time.sleep(1.0)
    return Features(torch.full((20, 6), 7.0), None, key.extractor, key.weights_hash, (1, 28, 28))
found = FeatureCache(Store(folder / "cache")).features(key, compute)
assert (found.values == 7).all() and found.shape == (1, 28, 28)
"""


@pytest.mark.slow
def test_two_processes_compute_once(tmp_path):
    run = [sys.executable, "-c", CODE, str(tmp_path)]
    processes = [subprocess.Popen([*run, name], stderr=subprocess.PIPE, text=True) for name in "ab"]
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    assert len(list(tmp_path.glob("computed-*"))) == 1
    assert not list((tmp_path / "cache").glob("*.tmp")) and not list((tmp_path / "cache").glob(".*.tmp"))


@pytest.mark.slow
def test_a_killed_process_leaves_no_lock_and_no_file(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", CODE.replace("1.0", "60"), str(tmp_path), "a"])
    deadline = time.monotonic() + 60
    while not (tmp_path / "computed-a").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert not list((tmp_path / "cache").glob("*.safetensors"))
    assert same(FeatureCache(Store(tmp_path / "cache")).features(KEY, Counting(features())), features())


def no_folder(tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("a file where the folder would be")


def no_space(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))


@pytest.mark.parametrize("obstacle", [no_folder, no_space])
def test_a_folder_that_cannot_be_written_costs_a_warning_not_the_features(tmp_path, monkeypatch, obstacle):
    """A training of days must not end with an error because of its cache."""
    obstacle(tmp_path, monkeypatch)
    compute = Counting(features())
    with pytest.warns(UserWarning, match="the cache .* cannot be written .*paths.cache=DIR"):
        assert same(FeatureCache(Store(tmp_path / "cache")).features(KEY, compute), features())
    assert compute.calls == 1 and not list(tmp_path.glob("cache/*.safetensors"))


def test_an_error_of_what_is_computed_is_no_error_of_the_cache(tmp_path):
    def unreadable():
        raise OSError("an image cannot be read")

    with pytest.raises(OSError, match="an image cannot be read"):
        FeatureCache(Store(tmp_path)).features(KEY, unreadable)


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    atomic.write_atomically(path, b"old")

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        atomic.write_atomically(path, b"new")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]
