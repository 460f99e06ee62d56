"""Contract of data sources."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable

import pytest
import torch

from ganvas.data.source import SPLITS, DataError, Source

Build = Callable[[], Source]
"""Makes a new source under test at each call."""


class SourceContract:
    """Contract of a data source. Derive a class with a fixture ``build``."""

    @pytest.fixture
    def build(self) -> Build:
        """Return a function that makes the source under test."""
        raise NotImplementedError("override the fixture `build`")

    def test_examples_have_the_stated_shape_and_type(self, build: Build) -> None:
        """Splits are in order; images are ``uint8``, points ``float32``; each example has one label, if any."""
        source = build()
        assert isinstance(source, Source)
        assert source.splits == tuple(split for split in SPLITS if split in source.splits) != ()
        for split in source.splits:
            examples = source.load(split)
            batch = examples.batch(torch.arange(min(5, len(examples))))
            assert examples.shape == source.shape == tuple(batch.shape[1:])
            assert batch.dtype == (torch.uint8 if len(source.shape) == 3 else torch.float32)
            assert examples.labels is None or examples.labels.shape == (len(examples),)

    def test_labels_are_indices_of_its_classes(self, build: Build) -> None:
        """If a source names classes, the label of each example is the index of a class; else there are no labels."""
        source = build()
        for split in source.splits:
            examples = source.load(split)
            if source.classes is None:
                assert examples.labels is None
                continue
            labels = examples.labels
            assert labels is not None and labels.shape == (len(examples),) and labels.dtype == torch.int64
            assert int(labels.min()) >= 0 and int(labels.max()) < len(source.classes) == len(set(source.classes))

    def test_factors_are_numbers_of_their_values(self, build: Build) -> None:
        """If a source states factors, each example has a value of each, and each value occurs; else there are none."""
        source = build()
        for split in source.splits:
            values = source.load(split).factors
            if source.factors is None:
                assert values is None
                continue
            assert values is not None and values.dtype == torch.int64
            assert values.shape == (len(source.load(split)), len(source.factors))
            assert len({factor.name for factor in source.factors}) == len(source.factors)
            for factor, column in zip(source.factors, values.unbind(1), strict=True):
                assert factor.values >= 2 and int(column.min()) >= 0 and int(column.max()) < factor.values
                assert split != "train" or len(column.unique()) == factor.values

    def test_batches_follow_the_index(self, build: Build) -> None:
        """A batch holds the examples at the given positions, in the given order, with repetitions."""
        examples = build().load("train")
        index = torch.tensor([3, 0, 3, len(examples) - 1])
        batch = examples.batch(index)
        for row, position in enumerate(index.tolist()):
            assert batch[row].equal(examples.batch(torch.tensor([position]))[0])
        assert batch[0].equal(batch[2]) and not batch[0].equal(batch[1])

    def test_building_twice_gives_the_same_content(self, build: Build) -> None:
        """Two sources with the same arguments have equal examples and equal fingerprints."""
        first, second = build(), build()
        for split in first.splits:
            a, b = first.load(split), second.load(split)
            assert a.fingerprint() == b.fingerprint() and len(a.fingerprint()) == 64
            everything = torch.arange(len(a))
            assert a.batch(everything).equal(b.batch(everything))

    def test_splits_differ_and_share_no_example(self, build: Build) -> None:
        """No example of one split is in another, so that held-out data are really held out."""
        source = build()
        loaded = [source.load(split) for split in source.splits]
        assert len({examples.fingerprint() for examples in loaded}) == len(loaded)
        seen = [{row.numpy().tobytes() for row in e.batch(torch.arange(len(e)))} for e in loaded]
        assert sum(map(len, seen)) == len(set().union(*seen))

    def test_unknown_split_is_refused_with_the_known_ones(self, build: Build) -> None:
        """The error message names the splits of the source."""
        source = build()
        with pytest.raises(DataError, match=f"split='valid'.*{', '.join(source.splits)}"):
            source.load("valid")

    def test_examples_travel_to_workers(self, build: Build) -> None:
        """Examples are equal after pickling."""
        examples = build().load("train")
        copy = pickle.load(io.BytesIO(pickle.dumps(examples)))
        assert copy.batch(torch.tensor([1, 2])).equal(examples.batch(torch.tensor([1, 2])))
