"""What a key may be given: values that are impossible for its type, and values that a reader must decide about."""
# ruff: noqa: E501 (tables of cases)

from __future__ import annotations

import typing
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType

from omegaconf import OmegaConf

from ganvas.config import compose
from ganvas.config.compose import SCHEMAS
from ganvas.nested import leaves

INTERPOLATIONS = ["${nope}", "${oc.env:NO_SUCH_VARIABLE}", "${nope:1}", "${data.nope}", "${oc.decode:'{'}"]
NESTED = ["[1,2]", "{a:1}", "[]", "{}", "[[1],{b:[2]}]"]
WORDS = ["abc", "'it''s'", "Größe", "日本", "a b", "'a,b'", '"x\\"y"', "--", "'[1'", "\\x00", "1e", "0x10", "~"]
NOT_INT = [*INTERPOLATIONS, *NESTED, *WORDS[:6], "1.5", "''", "???", "nan", "-inf", "1e3", "1_0.5"]
NOT_FLOAT = [*INTERPOLATIONS, *NESTED, *WORDS[:6], "''", "???", "1e", "1,5"]
NOT_BOOL = [*INTERPOLATIONS, *NESTED, *WORDS[:6], "''", "???", "7.5", "nan", "maybe"]
BROKEN = [
    "[1",
    "{a:",
    "'x",
    '"',
    "]",
    "}",
    "a]b",
    "[1,]]",
    "{:}",
    "${",
    "${a",
    "$(",
    "(",
    "f(",
    "range(",
    "a\tb'",
    "\\'",
]
"""Values that Hydra's grammar does not know; a key whose value is any text takes them as they are."""

_WHOLE_ABOVE_0 = (
    "batch_size budget.images log.every grid.every grid.rows grid.columns checkpoint.every score.every score.n "
    "score.n_during prior.dim model.n_critic constraint.every objective.samples prior.components data.size "
    "data.channels data.train model.critic.pack data.density.modes n columns shown ema_halflife on_disk processes"
)
LEAST = {key: 1 for key in _WHOLE_ABOVE_0.split()} | {
    key: 0
    for key in "seed score.seed score.seed_during workers data.val data.test constraint.weight optimizer.lr objective.beta "
    "objective.free_bits optimizer.eps".split()
}
"""Smallest values of keys, known from what they mean and not from the code."""
IMPOSSIBLE = {
    "gradient_clip": ["0", "-1", "nan"],
    "optimizer.betas": [
        "[1.0,0.5]",
        "[-0.1,0.9]",
        "[0.5,1.0]",
        "[nan,0.9]",
        "0.5",
        "[0.9]",
        "[]",
        "[a,b]",
        "[0.5,0.9,0.9]",
    ],
    "optimizer.lr": ["nan", "inf", "null"],
    "optimizer.eps": ["nan"],
    "constraint.weight": ["nan", "inf", "null"],
    "prior.sigma": ["0.0", "-1.0", "nan"],
    "score.select": ["7", "fid3", "[]", "''", "nope"],
    "trainer.accelerator": ["tpu2", "3", "[]", "''", "null9"],
    "trainer.devices": ["0", "-3", "abc", "1.5", "''"],
    "trainer.precision": ["3", "abc", "[]"],
    "trainer.strategy": ["abc", "3", "[1]"],
    "network.generator.activation": ["Nope", "''", "3", "[]", "null", "os.system", "Module"],
    "network.generator.hidden": ["[0]", "[-8]", "abc", "[a]", "[1.5]", "{a:1}", "true", "[[8]]", "null", "[nan]"],
    "network.encoder.hidden": ["[0]", "[-8]", "abc", "[a]"],
    "network.generator.channels": ["[0]", "abc", "[-1,2]"],
    "study": ["..", "a/b", "''", "'a b'", ".x", "'it''s'", "'a\\${b}'", "é/", "[a]", "{a:1}"],
    "marginal_bias": ["foo", "3", "critic", "''"],
    "init_parts": ["3", "abc", "{a:1}"],
    "resume": ["nowhere", "''", "/etc/passwd", "/dev/null", "/", "3", "0000", "[]", "a/../b"],
    "init_from": ["nowhere", "''", "/etc/passwd", "/dev/null", "/", "3"],
    "data.val": ["9999999", "1.5"],
    "data.test": ["9999999", "nan"],
    "batch_size": ["100000"],
    "tracking.experiment": ["''", "'  '"],
    "paths.output": ["/proc/x", "/dev/null/x", "/etc/passwd"],
    "schedules.foo": ["3", "{a:1}", "abc"],
    "score.settings.is_splits": ["0", "-1", "abc", "1000000", "1.5", "null", "nan"],
    "score.settings.kid_subsets": ["0", "-1", "abc", "null"],
    "score.settings.kid_subset_size": ["0", "-1", "abc", "1", "nan"],
    "score.settings.neighbours": ["0", "-1", "abc"],
}
DANGEROUS = {"budget.images": 10**4, "score.n": 10**5, "score.n_during": 10**5, "n": 10**5, "data.train": 10**4}
"""Keys whose large values are right but take for ever."""
TEXT = (
    "paths.data paths.cache paths.output init_from resume source reference export_reference data.path data.root baseline "
    "extractor.weights paths.results"
).split()
"""Keys that take any text as it stands."""


def schema(command):
    """Types of the keys of a command's root config."""
    return dict(_typed(SCHEMAS[command]))


def _typed(node, prefix=""):
    hints = typing.get_type_hints(node)
    for field in fields(node):
        kind = hints[field.name]
        if is_dataclass(kind):
            yield from _typed(kind, f"{prefix}{field.name}.")
        elif kind is not typing.Any:
            yield f"{prefix}{field.name}", kind


def keys(command, overrides=()):
    """Leaves of a composed config, each with its type as far as the schema or its value tells it."""
    found = leaves(OmegaConf.to_container(compose(command, list(overrides)), resolve=False))
    return {key: type(value) for key, value in found} | schema(command)


def _members(kind):
    return set(typing.get_args(kind)) if typing.get_origin(kind) in (typing.Union, UnionType) else {kind}


def impossible(key, kind):
    """Values that no reading of the key can make sense of."""
    members, known = _members(kind), IMPOSSIBLE.get(key, [])
    if key in LEAST:
        known = [*known, str(LEAST[key] - 1), str(-(10**6)), str(-(2**63) - 1)]
    if int in members:
        known = [*known, *NOT_INT]
    elif float in members:
        known = [*known, *NOT_FLOAT]
    elif bool in members:
        known = [*known, *NOT_BOOL]
    elif str in members and key not in TEXT:
        known = [*known, *NESTED[:2], *INTERPOLATIONS[:4]]
    if NoneType not in members and key.count(".") < 2 and {int, float, bool} & members:
        known = [*known, "null"]
    return list(dict.fromkeys(known))


def doubtful(key, kind):
    """Values that a key may take or refuse, but by its name."""
    numbers = ["0", "1", "-1", "2", "3.0", "1e-9", "nan", "inf", "-inf", "true", "null", "'1'", "٣", "007", "1e400"]
    numbers += [str(n) for n in (2**31, 2**32, 2**63, 2**64, 10**30)]
    if key == "trainer.devices":  # a forked case cannot begin the other processes of a training
        numbers = ["1" if x.isdigit() and int(x) > 1 else x for x in numbers]
    if key in DANGEROUS:
        numbers = [x for x in numbers if x.lstrip("-").isdigit() and int(x) < DANGEROUS[key]]
    return [*numbers, *WORDS, *NESTED, *INTERPOLATIONS, "???", "''", "${seed}", "${" + key + "}", "a" * 300]
