"""Pickles read as plain data: what numpy and torch write, and nothing that calls or imports anything."""

import collections
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from ganvas.storage import plain_pickle
from ganvas.storage.plain_pickle import DEEPEST, write_plain_pickle
from ganvas.storage.plain_pickle import read_plain_pickle as read

CONTENT = {
    "fid": {"mu": np.arange(3.0), "sigma": np.arange(6.0).reshape(2, 3)},
    "columns": np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
    "turned": np.arange(6).reshape(2, 3).T,
    "swapped": np.arange(3, dtype=">i4"),
    "n": 5,
    "scalar": np.float64(2.5),
    "rest": [True, None, "text", 0.5],
}


def same(found, expected):
    for key, value in expected.items():
        if isinstance(value, dict):
            same(found[key], value)
        elif isinstance(value, np.ndarray):
            np.testing.assert_array_equal(found[key], value)
            assert found[key].dtype == value.dtype and found[key].flags.writeable
        else:
            assert found[key] == value


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_and_containers_are_read_in_every_protocol(protocol):
    same(read(pickle.dumps(CONTENT, protocol=protocol)), CONTENT)


def test_names_of_numpy_1_are_read():
    written = pickle.dumps(CONTENT, protocol=2)
    assert b"numpy._core.multiarray" in written or b"numpy.core.multiarray" in written
    same(read(written.replace(b"numpy._core.", b"numpy.core.")), CONTENT)


def test_what_is_written_is_read_by_any_numpy():
    written = write_plain_pickle(CONTENT | {"scalar": 2.5})
    assert b"_core" not in written and b"multiarray" not in written
    found = pickle.loads(written)
    np.testing.assert_array_equal(found["turned"], CONTENT["turned"])
    same(read(written), CONTENT | {"scalar": 2.5})


class Call:
    """Unpickling it calls a function."""

    def __init__(self, function, *given):
        self.made = function, given

    def __reduce__(self):
        return self.made


class Stated:
    """Unpickling it makes a type of an array with any state."""

    def __init__(self, name, state):
        self.made = np.dtype, (name,), state

    def __reduce__(self):
        return self.made


def array_of(kind, content, shape=(1,)):
    return Call(np.ndarray, shape, kind, content)


def nested(depth):
    return [nested(depth - 1)] if depth else []


HOSTILE = {
    "a function of the system": Call(os.system, "touch trace"),
    "a function of builtins": Call(eval, "open('trace', 'w')"),
    "a method": Call(Path.write_text, Path("trace"), "ran"),
    "a function of numpy that unpickles": Call(np.load, "evil.npy"),
    "a class as a value": {"mu": Path},
    "another container": collections.OrderedDict(mu=1),
    "a set": {1, 2},
    "bytes": b"mu",
    "keys that are no text": {1: 2},
    "an array of objects": np.array([Call(os.system, "touch trace")], dtype=object),
    "an array of text": np.array(["mu"]),
    "a record": np.zeros(2, dtype=[("a", "f8")]),
    # numpy would take 8 bytes for a pointer to an object.
    "objects whose type says they are none": array_of(
        Stated("O8", (3, "|", None, None, None, -1, -1, 0)), b"12345678", (1,)
    ),
    "more numbers than bytes": array_of(np.dtype("f8"), b"12345678", (2,)),
    "a negative shape": array_of(np.dtype("f8"), b"", (-1, 0)),
    "too many levels": nested(DEEPEST + 1),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_anything_else_is_refused_unread(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="it is no pickle of arrays and numbers alone"):
        read(pickle.dumps(HOSTILE[name]))
    assert not Path("trace").exists()


def test_one_list_named_again_and_again_is_refused_before_it_is_walked_through(monkeypatch):
    monkeypatch.setattr(plain_pickle, "LONGEST", 1_000)
    doubled = []
    for _ in range(DEEPEST - 1):
        doubled = [doubled] * 100
    with pytest.raises(ValueError, match="more than .* levels deep, or holds more than"):
        read(pickle.dumps(doubled))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no pickle",
        pickle.dumps(CONTENT)[:-20],
        b"cnumpy\ndtype\n}b.",  # a state for a function
        b"cnumpy\nndarray\n.",  # a function in the place of an array
        b"Pname\n.",  # a persistent name
    ],
)
def test_damage_is_refused(content):
    with pytest.raises(ValueError, match="it is no pickle"):
        read(content)
