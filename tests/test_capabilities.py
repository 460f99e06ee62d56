"""Outside models/ nobody asks what class a model is or which attributes it has: only what it can do."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import torch

from ganvas import types
from ganvas.health.evidence import ShowsEvidence
from ganvas.models import GAN, VAE, WGAN
from ganvas.types import BoundsEvidence, Encodes, Reconstructs, Watched

SOURCE = Path(__file__).parents[1] / "src" / "ganvas"
MODELS = re.compile(r"\b(model|pl_module|critic|generator|encoder|decoder|network|prior)s?(\[.*\])?$")
"""Expressions whose value is a model, one of its networks or its prior, by the name of what they end in."""
PROTOCOLS = {name for name, value in vars(types).items() if getattr(value, "_is_protocol", False)} | {"ShowsEvidence"}
FILES = [
    path
    for path in SOURCE.rglob("*.py")
    # an extractor's model is a classifier, often from a file of the user's
    if path.relative_to(SOURCE).parts[0] not in ("models", "extractors")
]


def questions(text: str) -> list[str]:
    """The calls of isinstance, hasattr and getattr on a model in a source, but for those that ask for a protocol."""
    calls = (
        node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    )
    found = []
    for call in calls:
        if call.func.id not in ("isinstance", "hasattr", "getattr") or not MODELS.search(ast.unparse(call.args[0])):
            continue
        kinds = set(re.findall(r"\w+", ast.unparse(call.args[1]).rpartition(".")[2]))
        if call.func.id != "isinstance" or not kinds <= PROTOCOLS | {"Module"}:
            found.append(ast.unparse(call))
    return found


def test_nobody_outside_asks_a_model_for_its_class_or_attributes():
    assert len(FILES) > 100
    asked = {str(path.relative_to(SOURCE)): found for path in FILES if (found := questions(path.read_text()))}
    assert asked == {}


@pytest.mark.parametrize(
    "text",
    [
        "isinstance(model, VAE)",
        "isinstance(subject.model, models.VAE)",
        "hasattr(model, 'reconstruct')",
        "getattr(getattr(model, 'critic', None), 'pack', 1)",
        "getattr(self.critic, 'pack', 1)",
        "getattr(model, name)",
    ],
)
def test_the_search_finds_such_questions(text):
    assert questions(text)


@pytest.mark.parametrize("text", ["isinstance(model, Reconstructs)", "isinstance(subject.model, types.Encodes)"])
def test_a_capability_may_be_asked_for(text):
    assert not questions(text)


def test_families_are_imported_by_models_alone():
    pattern = re.compile(r"^from ganvas\.models[\w.]* import .*\b(GAN|WGAN|VAE)\b", re.MULTILINE)
    assert [str(path) for path in FILES if pattern.search(path.read_text())] == []


@pytest.mark.parametrize("capability", [Reconstructs, Encodes, BoundsEvidence])
def test_what_each_family_can_do(capability):
    # isinstance on a protocol asks an object for its attributes; the classes have them all but `objective`.
    methods = [name for name in dir(capability) if not name.startswith("_")]
    assert methods
    for family, can in ((VAE, True), (GAN, False), (WGAN, False)):
        assert all(hasattr(family, name) for name in methods) is can


def test_a_model_is_what_callbacks_watch():
    class Model(torch.nn.Module):
        images_seen, terms, skips_updates, headline, device = 0, {}, False, (), torch.device("cpu")
        sample = sample_part = gradient_norms = evidence = lambda self: None

    assert isinstance(Model(), Watched) and isinstance(Model(), ShowsEvidence)
    assert not isinstance(torch.nn.Linear(1, 1), Watched)
