"""Arguments of the objects that a config describes, compared with the signatures before anything is built.

Python does not check types: a list in the place of a number would end a training somewhere in its arithmetic. What an
annotation does not say in terms of numbers, texts, truth values and sequences of them is left to the class itself.
"""

from __future__ import annotations

import inspect
import pkgutil
import types
import typing
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from omegaconf import DictConfig, OmegaConf

_PLAIN: Final[dict[Any, tuple[type, ...]]] = {
    int: (int,),
    float: (int, float),
    str: (str,),
    bool: (bool,),
    type(None): (type(None),),
}
_SEQUENCES: Final = (list, tuple, Sequence, Iterable, Collection)
_WORDS: Final = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", type(None): "null"}
_MANY: Final = {int: "whole numbers", float: "numbers", str: "texts", bool: "truth values"}


def unfit(node: DictConfig) -> Iterator[str]:
    """Find the arguments whose values are of another type than the signature says.

    Args:
        node: a node of the config; those below it are searched too.

    Yields:
        One sentence for each: the key, the value, what is expected.
    """
    if not isinstance(target := node.get("_target_", ""), str):
        yield f"{node._get_full_key('_target_')}={target}: expected the dotted name of a class or function"
        return
    annotations = _annotations(target)
    for key in node:
        if OmegaConf.is_missing(node, key):
            continue
        value = node[key]
        if isinstance(value, DictConfig) and (key not in annotations or "_target_" in value):
            yield from unfit(value)
            yield from _other_class(value, annotations.get(str(key)))
        elif key in annotations:
            plain = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
            if not fits(plain, annotations[str(key)]):
                yield f"{node._get_full_key(str(key))}={plain}: expected {_words(annotations[str(key)])}"


def _other_class(node: DictConfig, annotation: Any) -> Iterator[str]:
    """Find out whether a node makes an object of another class than the argument that it stands for."""
    called = _named(node.get("_target_"))
    if called is None or not inspect.isclass(annotation) or getattr(annotation, "_is_protocol", False):
        return
    if not annotation.__module__.startswith("ganvas.") or node.get("_partial_"):
        return
    made = called if inspect.isclass(called) else _annotations(node._target_).get("return")
    if not inspect.isclass(made) or not issubclass(made, annotation):
        returns = "" if inspect.isclass(called) else ", or a function whose annotation says that it returns one"
        key = node._get_full_key("_target_")
        yield f"{key}={node._target_}: expected a class derived from {annotation.__name__}{returns}"


def fits(value: Any, annotation: Any) -> bool:
    """Whether a plain value may be given for an annotation; True where the annotation is of another kind.

    Args:
        value: number, text, truth value, None, or a list or mapping of such.
        annotation: type hint of a parameter.
    """
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, one) for one in inner)
    if annotation in _PLAIN:
        # A truth value is a whole number to Python, and to nobody else.
        return isinstance(value, _PLAIN[annotation]) and isinstance(value, bool) == (annotation is bool)
    if origin is typing.Literal:
        return value in inner
    if origin in _SEQUENCES:
        if not isinstance(value, (list, tuple)):
            return False
        if origin is tuple and inner[-1:] != (...,):
            return len(value) == len(inner) and all(map(fits, value, inner))
        return all(fits(one, inner[0]) for one in value)
    if inspect.isclass(annotation) and annotation.__module__.startswith("ganvas."):
        return isinstance(value, annotation)  # what a node with a _target_ makes, and a plain value is not
    return origin in (None, dict, Mapping) or not isinstance(value, (list, tuple, dict))


def _annotations(target: Any) -> dict[str, Any]:
    """Type hints of what a ``_target_`` names; none where it cannot be imported, which its call will explain."""
    found = _named(target)
    try:
        called: Callable[..., Any] = found.__init__ if inspect.isclass(found) else found
        return typing.get_type_hints(called)
    except Exception:
        return {}


def _named(target: Any) -> Any:
    try:
        return pkgutil.resolve_name(target)
    except Exception:  # importing runs code, which may fail in any way
        return None


def _words(annotation: Any) -> str:
    inner = typing.get_args(annotation)
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return " or ".join(_words(one) for one in inner)
    if typing.get_origin(annotation) in _SEQUENCES:
        number = f"{len(inner)} " if typing.get_origin(annotation) is tuple and ... not in inner else ""
        return f"a list of {number}{_MANY.get(inner[0], 'values')}"
    if inspect.isclass(annotation) and annotation.__module__.startswith("ganvas."):
        return f"a node with a _target_ that makes a {annotation.__name__}"
    return _WORDS.get(annotation, getattr(annotation, "__name__", str(annotation)))
