"""Pickles as plain data: arrays of numbers in dicts and lists. Nothing that a pickle names is called or imported.

A pickle is a program that names functions and calls them. Files of statistics need few names, those of NumPy's array,
type and scalar; here functions of this file answer to them, which take bytes, a shape and the name of a numeric type.
Any other name is refused before anything is called. NumPy's own functions are not used, since the state of a type in a
hostile pickle can make NumPy read bytes as pointers.

Reference: Python's documentation, "Restricting Globals",
https://docs.python.org/3/library/pickle.html#restricting-globals.
"""

from __future__ import annotations

import math
import pickle
import struct
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from typing import Any, Final, final

import numpy as np

LONGEST: Final = 1_000_000
"""Largest number of values (an array is one) in a pickle that is read."""
DEEPEST: Final = 6
"""Largest depth of containers in containers."""
NUMBERS: Final = frozenset({"i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"})
"""NumPy's names of the types of an array that is read."""

_DAMAGE: Final = (
    pickle.UnpicklingError,
    AttributeError,
    EOFError,
    ImportError,
    IndexError,
    KeyError,
    MemoryError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)


def read_plain_pickle(content: bytes) -> Any:
    """Read a pickle that holds only arrays of numbers, numbers, text, None, and dicts and lists of these.

    Args:
        content: the whole pickle.

    Returns:
        The content; a tuple is read as a list, a scalar of NumPy as a number of Python.

    Raises:
        ValueError: the pickle is damaged, too long or too deep, or it names or holds anything else.
    """
    try:
        return _bare(_Unpickler(BytesIO(content)).load(), iter(range(LONGEST)))
    except _DAMAGE as error:
        raise ValueError(f"it is no pickle of arrays and numbers alone: {str(error)[:200]}") from error


def write_plain_pickle(content: Mapping[str, Any]) -> bytes:
    """Write a pickle whose arrays any version of NumPy reads; they are read-only for the reader.

    Args:
        content: arrays, numbers, text, None, and dicts and lists of these.
    """
    file = BytesIO()
    _Pickler(file, protocol=4).dump(content)
    return file.getvalue()


@final
class _Pickler(pickle.Pickler):
    """Names ``numpy.ndarray`` and ``numpy.dtype`` only: the functions that NumPy itself names moved in NumPy 2."""

    def reducer_override(self, value: Any) -> Any:
        if not isinstance(value, np.ndarray):
            return NotImplemented
        return np.ndarray, (value.shape, value.dtype, np.ascontiguousarray(value).tobytes())


@final
class _Kind:
    """Type of an array, in the place of ``numpy.dtype``."""

    def __init__(self, name: object, *_: object) -> None:
        self._name, self._order = name, "|"

    def __setstate__(self, state: tuple[object, ...]) -> None:
        """Take the order of bytes, and nothing else of the state."""
        self._order = str(state[1])

    def dtype(self) -> np.dtype:
        """Return NumPy's type, which is one of :data:`NUMBERS`."""
        if self._name not in NUMBERS or self._order not in ("<", ">", "|"):
            raise pickle.UnpicklingError(f"an array of {str(self._name)[:20]!r}, expected numbers")
        return np.dtype(str(self._name)).newbyteorder(self._order)  # type: ignore[arg-type]


@final
class _Array:
    """An array, in the place of ``numpy.ndarray``; its content is given to it, or comes later as its state."""

    def __init__(self, *given: Any) -> None:
        self._content = _array(given[2], given[1], given[0], "C") if given else None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Take the content: version, shape, type, whether columns come first, bytes."""
        _, shape, kind, columns_first, content = state
        self._content = _array(content, kind, shape, "F" if columns_first else "C")

    def content(self) -> np.ndarray:
        """Return the array."""
        if self._content is None:
            raise pickle.UnpicklingError("an array without content")
        return self._content


def _array(content: object, kind: object, shape: object, order: str) -> np.ndarray:
    """Make an array from its bytes, a copy."""
    if not isinstance(content, bytes | bytearray) or not isinstance(kind, _Kind) or not isinstance(shape, tuple):
        raise pickle.UnpicklingError("an array that is not made of bytes, a type and a shape")
    flat = np.frombuffer(content, kind.dtype())
    if not all(type(n) is int and n >= 0 for n in shape) or math.prod(shape) != len(flat):
        raise pickle.UnpicklingError(f"an array of {len(flat)} numbers and shape {str(shape)[:40]}")
    return flat.reshape(shape, order="F" if order == "F" else "C").copy()


def _from_buffer(content: object, kind: object, shape: object, order: str, *_: object) -> _Array:
    made = _Array()
    made.__setstate__((1, shape, kind, order == "F", content))
    return made


def _scalar(kind: object, content: object) -> float | int:
    return _array(content, kind, (1,), "C")[0].item()


def _latin1(text: object, encoding: object) -> bytes:
    """Make bytes from text, as old protocols write them."""
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError("text in the place of an array's bytes")
    return text.encode("latin1")


@final
class _Named:
    """What answers to a name in a pickle. A pickle can call it, and can change nothing of it."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[..., Any]) -> None:
        self._make = make

    def __call__(self, *given: Any) -> Any:
        return self._make(*given)

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError("a function with a state")


_KNOWN: Final[Mapping[tuple[str, str], Callable[..., Any]]] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Kind,
    ("numpy.core.multiarray", "_reconstruct"): lambda *_: _Array(),
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy.core.numeric", "_frombuffer"): _from_buffer,
    ("_codecs", "encode"): _latin1,
}
"""What answers to the names; ``numpy._core`` of NumPy 2 is ``numpy.core`` of NumPy 1."""


@final
class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> _Named:
        make = _KNOWN.get((module.replace("numpy._core.", "numpy.core."), name))
        if make is None:
            raise pickle.UnpicklingError(f"it names {f'{module}.{name}'[:80]!r}, which is no array of numbers")
        return _Named(make)


def _bare(value: object, steps: Iterator[int], depth: int = 0) -> Any:
    """Check a value and all that it holds, and put NumPy's arrays into their places."""
    if depth > DEEPEST or next(steps, None) is None:
        raise pickle.UnpicklingError(f"it is more than {DEEPEST} levels deep, or holds more than {LONGEST:,} values")
    if isinstance(value, _Array):
        return value.content()
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _bare(held, steps, depth + 1) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [_bare(held, steps, depth + 1) for held in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise pickle.UnpicklingError(f"it holds a {type(value).__name__}")
