"""The order of training images is a pure function of (seed, epoch)."""

from itertools import islice

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from ganvas.data.batches import Batches, model_input
from ganvas.data.source import DataError, TensorExamples
from ganvas.data.transforms import DynamicBinarisation, Identity


def _numbered(n):
    """Points that say which they are."""
    return TensorExamples(torch.arange(n, dtype=torch.float32)[:, None].repeat(1, 2))


def _images(n):
    return TensorExamples(torch.randint(0, 256, (n, 1, 4, 4), dtype=torch.uint8, generator=torch.Generator()))


def _batches(examples, **changes):
    options = {"batch_size": 4, "seed": 0, "start": 0, "rank": 0, "world_size": 1, "transform": Identity()} | changes
    return Batches(examples, options.pop("transform"), **options)


def _stream(batches, length):
    parts = list(islice(batches, -(-length // batches.batch_size)))
    return torch.cat([part.x for part in parts])[:length, 0].long()


sizes = st.integers(1, 40).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n)))


@given(sizes, st.integers(0, 5))
@settings(deadline=None, max_examples=40)
def test_every_example_once_an_epoch_in_full_batches(size, seed):
    n, batch_size = size
    batches = _batches(_numbered(n), batch_size=batch_size, seed=seed)
    assert all(len(b) == batch_size for b in islice(batches, 5))
    for epoch in _stream(batches, 3 * n).split(n):
        assert epoch.sort().values.equal(torch.arange(n))


@given(sizes, st.integers(0, 200), st.integers(0, 3))
@settings(deadline=None, max_examples=40)
def test_a_restored_position_continues_the_stream(size, start, seed):
    n, batch_size = size
    whole = _stream(_batches(_numbered(n), batch_size=1, seed=seed), start + 3 * batch_size)
    rest = _stream(_batches(_numbered(n), batch_size=batch_size, seed=seed, start=start), 3 * batch_size)
    assert rest.equal(whole[start:])


def test_order_differs_by_epoch_and_seed_and_zero_is_a_seed():
    orders = {}
    for seed in (0, 1, 2):
        for epoch, order in enumerate(_stream(_batches(_numbered(100), seed=seed), 300).split(100)):
            orders[seed, epoch] = tuple(order.tolist())
    assert len(set(orders.values())) == 9
    torch.manual_seed(99)
    assert tuple(_stream(_batches(_numbered(100)), 100).tolist()) == orders[0, 0]
    assert orders[0, 0] != tuple(range(100))


def test_first_position_is_uniform_over_examples():
    first = torch.tensor([int(_batches(_numbered(5), seed=seed).order(0, 1)) for seed in range(1000)])
    assert (torch.bincount(first) - 200).abs().max() < 5 * (1000 * 0.2 * 0.8) ** 0.5


@pytest.mark.parametrize("transform", [Identity(), DynamicBinarisation()])
def test_any_number_of_workers_gives_the_same_stream(transform):
    examples, streams = _images(11), []
    for workers in (0, 1, 2, 3):
        batches = _batches(examples, transform=transform, start=7)
        loader = iter(DataLoader(batches, batch_size=None, num_workers=workers))
        streams.append(torch.stack([next(loader).x for _ in range(7)]))
        del loader
    assert all(stream.equal(streams[0]) for stream in streams)
    direct = torch.stack([b.x for b in islice(_batches(examples, transform=transform, start=7), 7)])
    assert direct.equal(streams[0])


@given(world_size=st.sampled_from([1, 2, 3, 6]), start=st.integers(0, 50))
@settings(deadline=None, max_examples=40)
def test_slices_of_all_ranks_are_the_batch(world_size, start):
    def take(**place):
        return [b.x for b in islice(_batches(_numbered(13), batch_size=6, start=start, **place), 5)]

    ranks = zip(*(take(rank=rank, world_size=world_size) for rank in range(world_size)), strict=True)
    for whole, parts in zip(take(), ranks, strict=True):
        assert torch.cat(parts).equal(whole)


def test_a_resumed_run_sees_the_same_bits_and_each_epoch_fresh_ones():
    examples = _images(8)
    whole = [b.x for b in islice(_batches(examples, batch_size=8, transform=DynamicBinarisation()), 4)]
    resumed = [b.x for b in islice(_batches(examples, batch_size=8, transform=DynamicBinarisation(), start=16), 2)]
    assert torch.stack(resumed).equal(torch.stack(whole[2:]))
    sorted_rows = [sorted(map(tuple, b.flatten(1).tolist())) for b in whole]
    assert sorted_rows[0] != sorted_rows[1]


def test_images_become_floats_and_points_stay():
    x = next(iter(_batches(_images(8)))).x
    assert x.dtype == torch.float32 and x.min() >= -1 and x.max() <= 1
    assert model_input(torch.tensor([[[[0, 255]]]], dtype=torch.uint8)).flatten().tolist() == [-1, 1]
    points = torch.full((2, 2), 7.5)
    assert model_input(points) is points


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 0}, "batch_size=0"),
        ({"batch_size": 9}, "batch_size=9: .*training examples, 8;"),
        ({"batch_size": 4, "world_size": 3}, "world_size=3"),
        ({"rank": 1}, "rank=1"),
        ({"start": -1}, "start=-1"),
        ({"transform": DynamicBinarisation()}, "not points"),
    ],
)
def test_bad_arguments(changes, message):
    with pytest.raises(DataError, match=message):
        _batches(_numbered(8), **changes)
