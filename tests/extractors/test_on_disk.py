"""Features in files: the same as in memory but for their precision, and the same for any number of processes."""

import pytest
import torch

from ganvas.data.source import TensorExamples
from ganvas.extractors.features import extract
from ganvas.extractors.images import Selected, regrouped
from ganvas.extractors.on_disk import Extraction, extracted, parts


def selected(images):
    return Selected(TensorExamples(images), torch.arange(len(images)))


def test_batches_of_another_size_hold_the_same_rows():
    rows = torch.arange(23)
    for sizes in ([23], [5, 5, 5, 5, 3], [1, 9, 2, 11]):
        found = list(regrouped(rows.split(sizes), 4))
        assert [len(x) for x in found] == [4, 4, 4, 4, 4, 3] and torch.equal(torch.cat(found), rows)
    assert [len(x) for x in regrouped(rows[:8].split(3), 4)] == [4, 4]


def test_parts_cover_every_image_once_and_begin_where_a_batch_begins():
    for n, batch, processes, together in [(10, 3, 2, 1), (1200, 250, 2, 500), (1, 250, 4, 1), (8, 2, 4, 1)]:
        found = parts(n, Extraction(batch, None, processes), together)
        assert [i for start, stop in found for i in range(start, stop)] == list(range(n))
        assert len(found) <= processes and all(start % batch == 0 == start % together for start, _ in found)


def test_features_on_disk_are_those_in_memory_rounded_to_float16(digits, mnist_extractor, tmp_path):
    images = digits[0][:50]
    expected = extract(mnist_extractor, images, 20)
    found = extracted(mnist_extractor, selected(images), Extraction(20, on_disk=49), "looked", tmp_path)
    assert found.on_disk and found.shape == (1, 28, 28) and found.n == 50
    assert torch.equal(found.values, expected.values.half()) and torch.equal(found.logits, expected.logits.half())
    assert not list(tmp_path.iterdir())
    assert found.in_memory().values.dtype == torch.float32 and found.in_memory() is found.in_memory()
    assert torch.equal(found.take(torch.tensor([3, 1])).values, expected.values[[3, 1]].half().float())
    same = extracted(mnist_extractor, selected(images), Extraction(20, on_disk=50), "looked", tmp_path)
    assert not same.on_disk and torch.equal(same.values, expected.values)


@pytest.mark.slow
def test_two_processes_give_the_bits_of_one(digits, mnist_extractor, tmp_path):
    images = selected(digits[0][:45])
    one, two = (
        extracted(mnist_extractor, images, Extraction(10, None, processes), "looked", tmp_path) for processes in (1, 2)
    )
    assert not two.on_disk and torch.equal(one.values, two.values) and torch.equal(one.logits, two.logits)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_kept_or_sent_is_refused(digits, mnist_extractor, tmp_path, monkeypatch):
    images = selected(digits[0][:4])
    monkeypatch.setattr(mnist_extractor, "extract", lambda x: (1e5 * torch.ones(len(x), 128), torch.zeros(len(x), 10)))
    with pytest.raises(ValueError, match=r"extractor=mnist: a feature of 1e\+05, .*on_disk=null"):
        extracted(mnist_extractor, images, Extraction(4, 3), "looked", tmp_path)
    with pytest.raises(ValueError, match="processes=2: extractor 'mnist' .*cannot be sent .*write processes=1"):
        extracted(mnist_extractor, images, Extraction(2, None, 2), "looked", tmp_path)
    assert not list(tmp_path.iterdir())
