"""Config files of a user's own, most of them damaged."""

CONFIGS = {
    "empty": b"",
    "list": b"- a\n- b\n",
    "scalar": b"3\n",
    "word": b"abc\n",
    "null": b"null\n",
    "alias": b"# @package _global_\nx: &a {seed: 1}\nscore: *a\n",
    "bomb": b"a: &a [x,x,x,x,x,x,x,x,x]\n"
    + b"".join(b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(24)),
    "types": b"# @package _global_\nseed: [1, 2]\nbatch_size: {a: 1}\n",
    "binary": bytes(range(256)) * 12,
    "unknown": b"# @package _global_\nnope: 3\n",
    "tag": b"# @package _global_\nseed: !!python/object/apply:os.getcwd []\n",
    "tab": b"# @package _global_\nseed:\t1\n\tbatch_size: 2\n",
    "twice": b"# @package _global_\nseed: 1\nseed: 2\n",
    "deep": b"a: " + b"{a: " * 400 + b"1" + b"}" * 400 + b"\n",
    "cycle": b"defaults:\n  - cycle\n  - _self_\n",
    "defaults": b"defaults: 3\n",
    "lost": b"# @package _global_\ndefaults:\n  - /model: nope\n",
    "odd_default": b"# @package _global_\ndefaults:\n  - {a: {b: c}}\n",
    "override": b"# @package _global_\ndefaults:\n  - override /nope: mlp\n",
    "package": b"# @package {}[\nseed: 1\n",
    "utf16": "# @package _global_\nseed: 1\n".encode("utf-16"),
    "bom": b"\xef\xbb\xbf# @package _global_\nseed: 1\n",
    "latin": "# @package _global_\n# Größe\nseed: 1\n".encode("latin-1"),
    "interpolation": b"# @package _global_\nseed: ${nope}\n",
    "circle": b"# @package _global_\nseed: ${batch_size}\nbatch_size: ${seed}\n",
    "unclosed": b"# @package _global_\nseed: ${batch_size\n",
    "target": b"# @package _global_\nmodel: {_target_: nope.Nope}\n",
    "keys": b"# @package _global_\n1: 2\n[1, 2]: 3\n? {a: 1}\n: 3\n",
    "missing": b"# @package _global_\nseed: ???\n",
    "nan": b"# @package _global_\noptimizer: {lr: .nan}\n",
    "date": b"# @package _global_\nseed: 2020-01-01\n",
    "long": b"# @package _global_\nseed: 1" + b"0" * 10_000 + b"\n",
    "colon": b"# @package _global_\nseed: 1: 2\n",
}
"""Files of a --config-dir; each is chosen as an experiment."""
DOUBTFUL = {"empty", "null", "bom", "twice", "utf16", "latin", "odd_default", "keys", "deep", "missing", "circle"}
"""Files that may be taken; every other one is refused."""
OPTIONS = """
--config-dir=nowhere --config-dir=m/ok.npz --config-dir= --config-name=nope --config-name=../x --cfg=foo
--config-path=nowhere --package=nope --cfg --info=foo --multirun=3 --run --version --config-dir
""".split()
"""Options of Hydra with no sense, or with a folder that is none."""


def config_dir(pick):
    """A config of the user's own that is damaged, or a folder of configs that is none."""
    from .grammar import TRAIN, Case

    if pick.random() < 0.75:
        name = pick.choice([*CONFIGS, "folder", "dangling"])
        given = [f"--config-dir=m/{'bombs' if name == 'bomb' else 'conf'}", f"experiment={name}"]
        files = (f"{name}.yaml", f"experiment={name}", f"experiment/{name}")
        known = (*files, "seed", "batch_size", "nope", "model", "x", "{}", "experiment")
        expect = "any" if name in DOUBTFUL else "bad"
        return Case("config_dir", ("train", *TRAIN, *given), tuple(given), known, expect)
    given = pick.choice(OPTIONS)
    names = (given.partition("=")[0], given.partition("=")[2] or given)
    return Case("config_dir", ("train", *TRAIN, given), (given,), names)
