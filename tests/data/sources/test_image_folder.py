"""Trees of images: every mode and size, the order, the splits, and each bad input's message."""

import os
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from ganvas.data import DataModule
from ganvas.data.source import SPLITS, DataError
from ganvas.data.sources.decoding import CenterCrop, CropThenResize, Decoder, Stretch
from ganvas.data.sources.folder import ImageFolder
from ganvas.data.sources.scored import read_folder
from ganvas.data.transforms import Identity


def _source(path, *, size=8, channels=3, resize="center_crop", val=0.0, test=0.0, skip=False, limit=1.0):
    return ImageFolder("folder", [channels, size, size], str(path), size, channels, resize, val, test, skip, limit)


def _fill(path, n, seed=0, side=(8, 8)):
    path.mkdir(parents=True, exist_ok=True)
    for i, pixels in enumerate(np.random.RandomState(seed).randint(0, 256, (n, *side, 3)).astype(np.uint8)):
        Image.fromarray(pixels).save(path / f"{i:03d}.png")


def _decode(image, path, channels=3, size=4, **options):
    image.save(path, **options)
    return Decoder(channels, size, CenterCrop())(path)


def test_modes_become_the_stated_channels(tmp_path):
    grey = Image.new("L", (4, 4), 77)
    assert (_decode(grey, tmp_path / "l.png") == 77).all()
    assert (_decode(grey, tmp_path / "l1.png", channels=1) == 77).all()
    red = Image.new("RGB", (4, 4), (255, 0, 0))
    assert _decode(red, tmp_path / "rgb.bmp")[:, 0, 0].tolist() == [255, 0, 0]
    assert _decode(red, tmp_path / "grey.png", channels=1).max() == round(255 * 0.299)
    assert _decode(red.convert("P"), tmp_path / "p.gif")[:, 0, 0].tolist() == [255, 0, 0]
    assert _decode(red.convert("CMYK"), tmp_path / "cmyk.tif")[:, 0, 0].tolist() == [255, 0, 0]
    assert (_decode(Image.new("1", (4, 4), 1), tmp_path / "bit.png") == 255).all()
    assert _decode(red, tmp_path / "rgb.webp", lossless=True)[:, 0, 0].tolist() == [255, 0, 0]


def test_transparency_lies_over_white(tmp_path):
    half = Image.new("RGBA", (4, 4), (255, 0, 0, 51))
    assert _decode(half, tmp_path / "rgba.png")[:, 0, 0].tolist() == [255, 204, 204]
    assert (_decode(Image.new("LA", (4, 4), (0, 0)), tmp_path / "la.png", channels=1) == 255).all()
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([0, 0, 0])
    assert (_decode(palette, tmp_path / "p.png", transparency=0) == 255).all()


def test_sixteen_bit_grey_keeps_its_range(tmp_path):
    values = np.array([[0, 257], [32896, 65535]], dtype=np.uint16)
    out = _decode(Image.fromarray(values), tmp_path / "deep.png", channels=1, size=2)
    assert out.tolist() == [[[0, 1], [128, 255]]]


def test_exif_orientation_is_applied(tmp_path):
    pixels = np.zeros((4, 4, 3), dtype=np.uint8)
    pixels[0] = 255
    exif = Image.Exif()
    exif[0x0112] = 3
    out = _decode(Image.fromarray(pixels), tmp_path / "turned.png", exif=exif)
    assert out[:, 3].min() == 255 and out[:, 0].max() == 0


def test_resize_rules():
    wide = np.zeros((10, 30, 3), dtype=np.uint8)
    wide[:, 10:20] = 255
    wide = Image.fromarray(wide)
    assert (np.asarray(CenterCrop()(wide, 10, 10)) == 255).all()
    assert np.asarray(Stretch()(wide, 30, 30)).mean() == pytest.approx(85, abs=1)
    assert (np.asarray(CropThenResize(10)(wide, 5, 5)) == 255).all()


def test_rectangles(tmp_path):
    """A picture whose rows are 0, 1, 2, ...: what is cut and what is stretched can be read off."""
    rows = np.repeat(np.arange(24, dtype=np.uint8)[:, None], 16, axis=1)
    Image.fromarray(rows).save(tmp_path / "a.png")
    assert (Decoder(1, (24, 16), CenterCrop())(tmp_path / "a.png")[0] == rows).all()
    assert (Decoder(1, (12, 16), CenterCrop())(tmp_path / "a.png")[0] == rows[6:18]).all()
    assert (Decoder(1, (24, 8), CenterCrop())(tmp_path / "a.png")[0] == rows[:, 4:12]).all()
    stretched = Decoder(1, (24, 32), Stretch())(tmp_path / "a.png")
    assert stretched.shape == (1, 24, 32) and (stretched[0] == np.repeat(rows[:, :1], 32, axis=1)).all()
    assert tuple(read_folder(tmp_path).shape) == (1, 24, 16)


def test_the_size_of_a_rectangle_is_height_and_width(tmp_path):
    _fill(tmp_path, 3, side=(30, 20))
    source = ImageFolder("folder", [3, 6, 4], str(tmp_path), [6, 4], 3, "stretch", 0.0, 0.0, False, 1.0)
    assert source.load("train").batch(torch.arange(3)).shape == (3, 3, 6, 4)
    with pytest.raises(DataError, match=r"size=\[6\]: must be one number, or height and width"):
        ImageFolder("folder", [3, 6, 4], str(tmp_path), [6], 3, "stretch", 0.0, 0.0, False, 1.0)


def test_shrinking_is_antialiased():
    board = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    out = np.asarray(CenterCrop()(Image.fromarray(board), 8, 8)).astype(int)
    assert np.abs(out - 127).max() < 20


def test_mixed_sizes_are_brought_to_one(tmp_path):
    _fill(tmp_path / "a", 3, side=(20, 9))
    _fill(tmp_path / "b", 3, side=(5, 31))
    assert _source(tmp_path).load("train").batch(torch.arange(6)).shape == (6, 3, 8, 8)


@pytest.mark.parametrize("limit", [1.0, 0.0])
def test_order_is_that_of_relative_paths(tmp_path, limit):
    for value, name in ((1, "b/a.png"), (2, "a.png"), (3, "B.PNG"), (4, "b-.jpeg"), (5, ".hidden/x.png")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("L", (8, 8), value).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    batch = _source(tmp_path, channels=1, limit=limit).load("train").batch(torch.arange(4))
    assert batch[:, 0, 0, 0].tolist() == [3, 2, 4, 1]


def test_streamed_and_held_are_the_same(tmp_path):
    _fill(tmp_path, 20)
    held, streamed = (_source(tmp_path, limit=limit).load("train") for limit in (1.0, 0.0))
    assert held.in_memory and not streamed.in_memory
    assert held.fingerprint() == streamed.fingerprint()
    assert held.batch(torch.arange(20)).equal(streamed.batch(torch.arange(20)))


def test_fingerprint_knows_pixels_and_preprocessing_but_not_the_place(tmp_path):
    _fill(tmp_path / "a", 5)
    _fill(tmp_path / "b", 5)
    first = _source(tmp_path / "a").load("train").fingerprint()
    assert _source(tmp_path / "b").load("train").fingerprint() == first
    assert _source(tmp_path / "a", size=4).load("train").fingerprint() != first
    assert _source(tmp_path / "a", resize="stretch").load("train").fingerprint() != first
    Image.new("RGB", (8, 8)).save(tmp_path / "b" / "003.png")
    assert _source(tmp_path / "b").load("train").fingerprint() != first


def test_workers_decode_the_same_stream(tmp_path):
    _fill(tmp_path, 13)
    streams = []
    for limit, workers in ((1.0, 0), (0.0, 0), (0.0, 1), (0.0, 3)):
        loader = iter(DataModule(_source(tmp_path, limit=limit), Identity(), 4, 0, workers).train_dataloader())
        streams.append(torch.stack([next(loader).x for _ in range(8)]))
        del loader
    assert all(stream.equal(streams[0]) for stream in streams)


def test_hashed_splits_partition_and_do_not_move(tmp_path):
    _fill(tmp_path, 60)
    before = _source(tmp_path, val=0.3, test=0.3)._names
    assert sorted(sum(before.values(), [])) == [f"{i:03d}.png" for i in range(60)]
    assert all(8 <= len(names) <= 40 for names in before.values())
    _fill(tmp_path / "elsewhere" / "same", 60)
    assert _source(tmp_path / "elsewhere" / "same", val=0.3, test=0.3)._names == before
    shutil.rmtree(tmp_path / "elsewhere")
    (tmp_path / "007.png").unlink()
    after = _source(tmp_path, val=0.3, test=0.3)._names
    assert after == {split: [n for n in names if n != "007.png"] for split, names in before.items()}


def test_named_sub_folders_are_the_splits(tmp_path):
    _fill(tmp_path / "train", 4)
    _fill(tmp_path / "test" / "deep", 2, seed=1)
    source = _source(tmp_path, val=0.5)
    assert source.splits == ("train", "test") and len(source.load("train")) == 4 and len(source.load("test")) == 2
    _fill(tmp_path / "other", 1)
    with pytest.raises(DataError, match=r"other/000\.png: lies beside"):
        _source(tmp_path).load("train")


@pytest.mark.parametrize("limit", [1.0, 0.0])
def test_corrupt_image_is_named_or_skipped_on_request(tmp_path, limit):
    _fill(tmp_path, 5)
    good = (tmp_path / "002.png").read_bytes()
    (tmp_path / "002.png").write_bytes(good[: len(good) // 2])
    with pytest.raises(DataError, match=r"002\.png: not a readable image.*skip_corrupt=true"):
        _source(tmp_path, limit=limit).load("train").batch(torch.arange(5))
    with pytest.warns(UserWarning, match=r"1 corrupt image\(s\) left out: 002\.png"):
        examples = _source(tmp_path, limit=limit, skip=True).load("train")
    assert examples.batch(torch.arange(4)).shape == (4, 3, 8, 8)


def test_corrupt_image_is_named_through_a_worker(tmp_path):
    _fill(tmp_path, 4)
    (tmp_path / "001.png").write_bytes(b"nonsense")
    loader = DataModule(_source(tmp_path, limit=0.0), Identity(), 4, 0, 1).train_dataloader()
    with pytest.raises(DataError, match=r"001\.png") as caught:
        next(iter(loader))
    assert "Traceback" not in str(caught.value) and "DataLoader" not in str(caught.value)


def test_links_are_followed_to_folders_and_files_but_not_in_a_circle(tmp_path):
    root, elsewhere = tmp_path / "photos", tmp_path / "elsewhere"
    _fill(root / "cats", 6)
    _fill(elsewhere, 4, seed=1)
    (root / "dogs").symlink_to(elsewhere)
    (root / "cats" / "up").symlink_to(root)
    source = _source(root)
    assert source.classes == ("cats", "dogs") and len(source.load("train")) == 10
    shutil.copytree(root, tmp_path / "copied", ignore=shutil.ignore_patterns("up"))
    assert _source(tmp_path / "copied").load("train").fingerprint() == source.load("train").fingerprint()


@pytest.mark.parametrize("limit", [1.0, 0.0])
@pytest.mark.timeout(20)
def test_a_pipe_with_the_name_of_an_image_is_refused(tmp_path, limit):
    _fill(tmp_path, 3)
    os.mkfifo(tmp_path / "x.png")
    source = _source(tmp_path, limit=limit)
    with pytest.raises(DataError, match=r"x\.png: a pipe, expected a file"):
        source.load("train").fingerprint()
    with pytest.raises(DataError, match=r"x\.png: a pipe, expected a file"):
        read_folder(tmp_path)


def test_all_corrupt_is_an_empty_split(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"")
    with pytest.warns(UserWarning, match=r"a\.jpg"), pytest.raises(DataError, match="'train' is empty"):
        _source(tmp_path, skip=True).load("train")


def test_float_pixels_are_refused(tmp_path):
    Image.fromarray(np.zeros((8, 8), dtype=np.float32)).save(tmp_path / "f.tif")
    with pytest.raises(DataError, match=r"f\.tif.*8 or 16 bits"):
        _source(tmp_path).load("train")


def test_no_folder_no_image_one_image(tmp_path):
    with pytest.raises(DataError, match=r"path=.*missing: no such folder.*data\.path"):
        _source(tmp_path / "missing").load("train")
    with pytest.raises(DataError, match=r"no image in it.*\.png"):
        _source(tmp_path).load("train")
    _fill(tmp_path, 1)
    with pytest.raises(DataError, match="batch_size=2: .*training examples, 1;"):
        DataModule(_source(tmp_path), Identity(), 2, 0, 0).train_dataloader()


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"channels": 2}, "channels=2"),
        ({"size": 0}, "size=0"),
        ({"resize": "crop"}, "resize='crop'.*center_crop, stretch"),
        ({"val": 0.6, "test": 0.4}, "val=0.6, test=0.4"),
    ],
)
def test_bad_arguments(tmp_path, options, key):
    with pytest.raises(DataError, match=key):
        _source(tmp_path, **options)


def _draw(path, level=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (level, 0, 0)).save(path)


@pytest.mark.parametrize("deeper", ["", "sheet/"])
@pytest.mark.parametrize("below", ["", "train/"])
@pytest.mark.parametrize("limit", [1.0, 0.0])
def test_sub_folders_are_classes(tmp_path, below, limit, deeper):
    for i in range(12):
        _draw(tmp_path / f"{below}{('dog', 'cat', 'owl')[i % 3]}" / f"{deeper}{i:02}.png", i)
    source = _source(tmp_path, limit=limit, val=0.0, test=0.0)
    examples = source.load("train")
    assert source.classes == ("cat", "dog", "owl") and examples.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert examples.batch(torch.arange(12))[:, 0, 0, 0].tolist() == [1, 4, 7, 10, 0, 3, 6, 9, 2, 5, 8, 11]


@pytest.mark.parametrize(
    "names",
    [
        ["a.png", "b.png"],
        ["a.png", "cat/b.png"],
        ["cat/a.png", "dog/puppy/b.png"],
        ["train/a.png", "test/b.png"],
        ["train/cat/a.png", "test/b.png"],
        ["train/cat/a.png", "test/cat/young/b.png"],
    ],
)
def test_images_at_the_root_or_at_mixed_depths_have_no_classes(tmp_path, names):
    for name in names:
        _draw(tmp_path / name)
    source = _source(tmp_path)
    assert source.classes is None and all(source.load(split).labels is None for split in source.splits)


def test_a_class_has_one_number_in_all_splits(tmp_path):
    for i, name in enumerate(("train/owl/a", "train/cat/b", "test/owl/c", "val/dog/d")):
        _draw(tmp_path / f"{name}.png", i)
    source = _source(tmp_path)
    labels = {split: source.load(split).labels.tolist() for split in source.splits}
    assert source.classes == ("cat", "dog", "owl") and labels == {"train": [0, 2], "val": [1], "test": [2]}


def test_a_corrupt_file_takes_its_label_with_it(tmp_path):
    for i, name in enumerate(("cat/a", "cat/b", "dog/c")):
        _draw(tmp_path / f"{name}.png", i)
    (tmp_path / "cat" / "a.png").write_bytes(b"no image")
    with pytest.warns(UserWarning, match="a.png"):
        assert _source(tmp_path, skip=True).load("train").labels.tolist() == [0, 1]


BEFORE = {"train": [10, 6, 9, 5], "val": [4, 2], "test": [1, 7, 0, 3, 8, 11]}
FINGERPRINT = "5e0764dbfaba9c91"


def test_order_splits_and_fingerprints_are_those_of_before_there_were_classes(tmp_path):
    """Values of the release before: the order by relative path, the split by its hash, the bytes of the files."""
    for i in range(12):
        _draw(tmp_path / ("dog", "cat", "owl")[i % 3] / f"{i:02}.bmp", i)
    source = _source(tmp_path, val=0.2, test=0.3)
    shown = {split: source.load(split).batch(torch.arange(len(source.load(split))))[:, 0, 0, 0] for split in SPLITS}
    assert {split: levels.tolist() for split, levels in shown.items()} == BEFORE
    assert source.load("train").fingerprint().startswith(FINGERPRINT)


def test_changed_images_are_counted_once(tmp_path):
    _fill(tmp_path, 4)
    Image.new("RGB", (9, 8)).save(tmp_path / "wide.png")
    Image.new("RGBA", (8, 8), (255, 0, 0, 51)).save(tmp_path / "clear.png")
    source = _source(tmp_path, skip=True)  # which decodes each file twice
    assert source.remarks() == ()
    data = DataModule(source, Identity(), 2, 1, 0)
    data.prepare_data()
    assert data.described().endswith(
        ": 6 images of 3x8x8: 6 train, 1 with an alpha channel, laid over white, 1 resized"
    )
    on_access = DataModule(_source(tmp_path, limit=0.0), Identity(), 2, 1, 0)
    on_access.some("train", 2)
    assert on_access.described().endswith(": 6 images of 3x8x8: 6 train")
