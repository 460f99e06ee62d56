"""A grammar of command lines: each case knows its arguments, what they may be called, and whether they are impossible."""
# ruff: noqa: E501 (tables of cases)

from __future__ import annotations

import random
from dataclasses import dataclass

from .by_hand import BY_HAND
from .configs import config_dir
from .values import BROKEN, TEXT, doubtful, impossible, keys

BAD, ANY = "bad", "any"
SHORT = [
    *["network=mlp", "budget.images=64", "batch_size=32", "score.n=40", "score.n_during=40", "paths.cache=cache"],
    *["score.settings.is_splits=2", "score.settings.kid_subsets=2", "grid.rows=1", "grid.columns=2"],
    *["tracking.system_metrics=false", "score.every=null"],
]
"""A training of less than two seconds; the arguments of a case come after it."""
SMALL = [f"network.{part}.hidden=[8]" for part in ("generator", "critic", "encoder", "decoder")]
NPZ = ["data=npz", "data.path=m/small.npz", "extractor=none"]
DIGITS = ["data=mnist5k"]
TRAIN = [*SHORT, *SMALL, *NPZ]


def fitting(given):
    """The training without the arguments for a data set or a network that ``given`` replaces by another."""
    groups = {argument.partition("=")[0] for argument in given}
    data = [] if groups & {"data", "experiment"} else NPZ
    network = [] if groups & {"network", "experiment", "model"} else SMALL
    return [*SHORT, *network, *data]


BASES = {
    "gan": [*SMALL, *NPZ],
    "digits": [*SMALL, *DIGITS],
    "wgan_gp": ["model=wgan_gp", "network=mlp", *SMALL, *NPZ],
    "vae": ["model=vae", "network=mlp", *SMALL, *NPZ],
    "mixture": ["prior=mixture", "model=iwae", "network=mlp", *NPZ],
    "points": [*SMALL, "data=ring"],
    "packed": ["model=pacgan", "network=mlp", *NPZ],
}
"""Trainings by which every key of conf/ that needs no download is reached."""


RESTORE = ("steps", "lr", "starts", "hole", "noise", "factor")
IDLE = {("score", "batch_size"), ("sample", "n"), *(("sample", f"restore.{key}") for key in RESTORE)}
"""Keys of other commands that take what a training refuses, or that the kind of sample does not read."""
OTHER_FAULT = {"reproduce": ["seed"], "rerun": ["abc"]}
"""Names of the second fault that a line has, so that nothing long is begun."""


@dataclass(frozen=True)
class Case:
    """One command line.

    Args:
        family: what it tries.
        args: the command line; `@RUN@` and the like stand for ids of the store.
        given: the arguments that are tried, for people.
        names: words of which a refusal must contain one.
        expect: `bad` if no reading makes sense of it, else `any`.
        store: whether the folder has a store.
    """

    family: str
    args: tuple[str, ...]
    given: tuple[str, ...]
    names: tuple[str, ...]
    expect: str = ANY
    store: bool = True

    @property
    def begins(self):
        """Whether something may be left: a sweep has begun its study, or Hydra has made the folder that was named."""
        return "-m" in self.args or any(argument.startswith("paths.output=") for argument in self.given)

    @property
    def line(self):
        return " ".join(self.given)


def names_of(argument):
    """Words by which a message can name an override: its key, the last part of it, its group, or all of it."""
    key = argument.lstrip("+~").partition("=")[0]
    whole, package = key.partition("@")[0], key.partition("@")[2]
    parts = ["schedules"] if whole == "schedule" else []  # which that group fills
    parts += [".".join(whole.split(".")[1:-1])]  # the node that lacks a deleted key, wherever it is pointed to
    parts += [whole, whole.split(".")[-1], whole.split(".")[0], package, argument]
    value = argument.partition("=")[2]
    if whole.endswith("_target_") or value.startswith("/") or whole in TEXT:  # what stands there says it as well
        parts += [value, value.strip("'"), value.split(".")[-1]]
    return tuple(dict.fromkeys(part for part in parts if len(part) > 0))


def override(family, command, base, *given, expect=ANY, store=True):
    names = tuple(dict.fromkeys(name for argument in given for name in names_of(argument)))
    return Case(family, (*command, *base, *given), given, names, expect, store)


def _is_idle(base, key, value):
    """Whether nothing reads a key in a training: a part of another kind of model, or settings of scores without any."""
    variational = base in ("vae", "mixture")
    parts = ("generator", "critic") if variational else ("encoder", "decoder")
    idle = [f"network.{part}" for part in (*parts, "conditional_generator", "conditional_critic")] + [
        "constraint" if variational else "likelihood"
    ]
    scores = ("score.select", "score.settings") if base != "digits" else ()
    return "${" not in value and key.startswith((*idle, *scores, "network.name"))


# fmt: off
ODD = (
    "KEY", "=KEY", "KEY==3", "+KEY", "++KEY", "~~KEY=3", "KEY@=3", "@KEY=3", ".KEY=3", "KEY.=3", "KEY:3",
    "KEY = 3", "/KEY=3", "KEY[0]=3", "-KEY=3", "--KEY=3", "+", "~", "=", "''=3", "💥=3", "a=b=c", "=", "@", "*",
    "seed=1,2", "seed=1,", ",", "x y", "\n=3", "seed=1\n", "-", "--", "-x",
)
"""Arguments that are no overrides, or odd ones; KEY stands for a key."""
# fmt: on


class Grammar:
    """Cases of one seed.

    Args:
        seed: of all choices.
    """

    def __init__(self, seed):
        self.pick = random.Random(seed)
        self.keys = {name: keys("train", [*SHORT, *base]) for name, base in BASES.items()}
        self.others = {"score": keys("score", ["extractor=mnist"]), "sample": keys("sample"), "report": keys("report")}
        self.others |= {"rerun": keys("rerun"), "reproduce": keys("reproduce")}

    def cases(self, n):
        """The list by hand, then cases of all families in turn; the same seed and n give the same cases."""
        made = list(BY_HAND())
        families = [name for name, weight in FAMILIES.items() for _ in range(weight)]
        while len(made) < n:
            self.pick.shuffle(families)
            made += [getattr(self, f"_{name}")() for name in families]
        made = made[:n]
        self.pick.shuffle(made)
        return made

    def _key_value(self, base, *, bad, key=None):
        known = self.keys[base]
        key = key or self.pick.choice(sorted(known))
        values = impossible(key, known.get(key, str))
        if bad and values:
            value = self.pick.choice(values)
            return f"{key}={value}", ANY if _is_idle(base, key, value) else BAD
        return f"{key}={self.pick.choice(doubtful(key, known.get(key, str)))}", ANY

    def _one_bad(self):
        base = self.pick.choice(sorted(BASES))
        key = self.pick.choice([k for k, kind in sorted(self.keys[base].items()) if impossible(k, kind)])
        given, expect = self._key_value(base, bad=True, key=key)
        return override("one_bad", ["train"], [*SHORT, *BASES[base]], given, expect=expect)

    def _one_doubtful(self):
        base = self.pick.choice(sorted(BASES))
        given, _ = self._key_value(base, bad=False)
        return override("one_doubtful", ["train"], [*SHORT, *BASES[base]], given)

    def _two(self):
        base = self.pick.choice(sorted(BASES))
        pairs = [self._key_value(base, bad=self.pick.random() < 0.6) for _ in range(2)]
        sure = (
            BAD if BAD in (expect for _, expect in pairs) and len({p.partition("=")[0] for p, _ in pairs}) == 2 else ANY
        )
        return override("two", ["train"], [*SHORT, *BASES[base]], *(given for given, _ in pairs), expect=sure)

    def _syntax(self):
        key = self.pick.choice(sorted(self.keys["gan"]))
        value = self.pick.choice(BROKEN)
        odd = [written.replace("KEY", key) for written in ODD]
        if self.pick.random() < 0.5:
            given, expect = f"{key}={value}", ANY if key in TEXT else BAD
        else:
            given = self.pick.choice(odd)
            expect = ANY if given in ("*", "--", "seed=1\n") or given == f"~{key}" else BAD
        case = override("syntax", ["train"], TRAIN, given, expect=expect)
        return Case(case.family, case.args, case.given, (*case.names, repr(given), given.strip()), case.expect)

    def _unknown_key(self):
        key = self.pick.choice(sorted(self.keys["gan"]))
        at = self.pick.randrange(len(key))
        wrong = self.pick.choice(
            [key[:at] + key[at + 1 :], key + "s", key[:at] + "_" + key[at:], "foo", f"{key}.foo", f"foo.{key}"]
        )
        if wrong in self.keys["gan"] or wrong.startswith(("schedules", "score.settings")) or not wrong.strip("._"):
            wrong = "nope.nope"
        case = override("unknown_key", ["train"], TRAIN, f"{wrong}=3", expect=BAD)
        return Case(case.family, case.args, case.given, (*case.names, *wrong.split(".")), BAD)

    def _added(self):
        node = self.pick.choice(
            "trainer optimizer model network.generator objective constraint prior data transform likelihood".split()
        )
        name = self.pick.choice(
            ["foo", "x1", "callbacks", "gradient_clip_val", "max_epochs", "logger", "self", "_args_", "_recursive_"]
        )
        value = self.pick.choice(["3", "abc", "[1]", "{a:1}", "null", "{_target_:os.getcwd}", "{_target_:nope.Nope}"])
        return override("added", ["train"], TRAIN, f"{self.pick.choice(['+', '++'])}{node}.{name}={value}")

    def _deleted(self):
        known = sorted(self.keys["gan"])
        groups = "model data network prior objective constraint optimizer extractor likelihood transform schedule callbacks debug".split()
        key = self.pick.choice([*known, *groups, "network.generator", "score", "budget", "nope", "paths"])
        given = f"~{key}" if self.pick.random() < 0.8 else f"~{key}={self.pick.choice(['1', 'gan', 'null', '[]'])}"
        return override("deleted", ["train"], TRAIN, given)

    def _target(self):
        node = self.pick.choice(
            "network.generator network.critic model data transform prior objective constraint optimizer".split()
        )
        target = self.pick.choice(
            "my.Net os.getcwd os ganvas.networks.mlp.Nope ganvas 3 null [] '' builtins.int builtins.dict torch.nn.Linear ..a a..b "
            "ganvas.objectives.ELBO ganvas.data.Mnist5k torch.optim.LBFGS ganvas.models.VAE ganvas.errors.explain Größe".split()
        )
        return override("target", ["train"], TRAIN, f"{node}._target_={target}")

    def _group(self):
        group = self.pick.choice(
            "model data network prior objective constraint optimizer extractor likelihood transform schedule experiment sweep".split()
        )
        if self.pick.random() < 0.6:
            value = self.pick.choice(
                ["nope", "3", "1.5", "null", "true", "[gan]", "{a:1}", "''", "..", "../x", "/etc", "Größe", "a/b"]
            )
            expect = ANY if value in ("null", "{a:1}", "''") else BAD
            return override("group", ["train"], TRAIN, f"{group}={value}", expect=expect)
        pair = [self.pick.choice(FITTING), self.pick.choice(FITTING)]
        return override("group", ["train"], fitting(pair), *pair)

    def _multirun(self):
        bad = self.pick.random() < 0.7
        given, expect = self._key_value("gan", bad=bad)
        key = given.partition("=")[0]
        if self.pick.random() < 0.5:
            given = self.pick.choice(SWEEPER)
            expect = ANY if given.endswith("objective=[]") else BAD  # a grid needs none
        else:
            given, expect = f"{key}={self.pick.choice(['1', 'abc'])},{given.partition('=')[2]}", ANY
        return override("multirun", ["train", "-m"], [*TRAIN, "study=s"], given, expect=expect)

    def _other(self):
        command = self.pick.choice(["score", "score", "sample", "sample", "report", "rerun", "reproduce"])
        known = self.others[command]
        key = self.pick.choice(sorted(known))
        values = impossible(key, known[key])
        bad = bool(values) and self.pick.random() < 0.7
        value = self.pick.choice(values if bad else doubtful(key, known[key]))
        expect = BAD if bad and (command, key) not in IDLE else ANY
        case = override("other", [command, *SUBJECTS[command]], [], f"{key}={value}", expect=expect)
        return Case(case.family, case.args, case.given, (*case.names, *OTHER_FAULT.get(command, ())), expect)

    def _file(self):
        return self.pick.choice(FILES)(self.pick)

    def _config_dir(self):
        return config_dir(self.pick)


from .material import FILES, FITTING, SUBJECTS, SWEEPER  # noqa: E402

FAMILIES = {
    "one_bad": 8,
    "one_doubtful": 6,
    "two": 4,
    "syntax": 3,
    "unknown_key": 2,
    "added": 2,
    "deleted": 2,
    "target": 2,
    "group": 3,
    "multirun": 3,
    "other": 5,
    "file": 6,
    "config_dir": 3,
}
"""How often each family comes in one turn."""
