"""Help of every command: what it takes, its keys and groups, two examples. Nothing heavy is imported.

Keys and groups are read from the files of ``conf/``, whose comments explain them, so that the help cannot lag behind.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import Final

METRICS: Final = (
    "fd fid sfid is kid precision recall density coverage prdc fd_infinity fd_shrunk is_infinity kid_polynomial "
    "kid_gaussian cmmd mind swd vendi ms_ssim ppl elbo nll active_units parzen memorisation modes stacked_modes "
    "label_accuracy intra_fd cas mig dci sap factor_vae_score psnr ssim lpips rfd code_bits classification seen rarity "
    "p_precision p_recall alpha_precision beta_recall topp_precision topp_recall topp_f1 topp_r c_t mifid fld"
).split()
"""Names that ``metrics=[...]`` takes. The registry imports torch, so a test compares this list with it."""
_WIDTH: Final = 80
_NESTED: Final = """; nested ones with dots, as budget.images=20_000;
`ganvas train model=wgan_gp --cfg job` shows those of the chosen parts too, as
optimizer.lr, model.n_critic, constraint.weight and network.generator"""

_TEXTS: Final = {
    "train": """usage: ganvas train [KEY=VALUE ...] [-m] [--dry-run]

Trains one model, logs it to MLflow and scores it. With -m it trains a sweep:
one run for each combination of values, as in model=gan,wgan_gp seed=1,2,3.

  -m, --multirun   a sweep; the same line again with study=NAME continues it
  --dry-run        trains nothing: shows parts, parameters, memory, images a
                   second measured on ten steps, and the time of the whole line
  --cfg job        prints the whole config without training
  --config-dir D   a folder of own configs beside the shipped ones

examples:
  ganvas train model=wgan_gp network=dcgan seed=3 budget.images=200_000
  ganvas train -m model=gan,wgan_gp optimizer.lr=1e-4,1e-3 seed=1,2 study=first""",
    "score": """usage: ganvas score SOURCE [SOURCE ...] [--table] [KEY=VALUE ...]

Scores a run (its id), a checkpoint, or images (folder, .npz, .npy) against a
reference, with floor (real images) and ceiling (noise) beside each score.
Of two sources it also judges each difference, of more it writes a leaderboard.

  --table   write leaderboard.html and .csv: of two or more sources, or of the
            runs and checkpoints in one folder

examples:
  ganvas score RUN_ID metrics=[fd,prdc,memorisation]
  ganvas score samples/ reference=photos/ extractor=inception metrics=[fid,kid]
  ganvas score RUN_ID outputs/.../last.ckpt metrics=[fd]
  ganvas score outputs/STUDY --table""",
    "sample": """usage: ganvas sample SOURCE [-n N] [--seed S] [--classes C,C,...]
                     [--kind KIND] [--out DIR] [KEY=VALUE ...]

Draws examples of a trained model (run id, checkpoint, or a folder with one): an
array, which `ganvas score` can read, and a picture.

  --kind   grid (default), interpolation, traversal, directions, walk, training;
           reconstruction (of a VAE); invert, inpaint, denoise, superres (of
           held-out images)
  --classes  of a conditional model, by number or name: --classes 3,7; without
             it classes are drawn as often as the training data have them

examples:
  ganvas sample RUN_ID -n 10000
  ganvas sample RUN_ID --classes cat,dog
  ganvas sample outputs/.../last.ckpt --kind interpolation --out pictures""",
    "export": """usage: ganvas export SOURCE [--out DIR] [--register NAME] [--push OWNER/NAME]
                     [KEY=VALUE ...]

Writes a model (run id, checkpoint, or a folder with one) as a folder that
travels: weights, config, model card, ONNX. `ganvas.load(DIR)` reads it.

  --register NAME     registers it in MLflow, too
  --push OWNER/NAME   uploads it to the Hugging Face hub, too

examples:
  ganvas export RUN_ID --out model
  ganvas export outputs/.../last.ckpt --register digits license=apache-2.0""",
    "rerun": """usage: ganvas rerun RUN_ID [KEY=VALUE ...]

Trains a run again from its record, and shows in which weights, scores and
conditions the two differ.

examples:
  ganvas rerun RUN_ID
  ganvas rerun RUN_ID data.path=photos""",
    "report": """usage: ganvas report STUDY [STUDY ...] [--open] [KEY=VALUE ...]

Ranks the configurations of a study, says which differences are real and which
are noise, and writes one HTML page. --open shows it in a browser.

examples:
  ganvas report first
  ganvas report first second score=score/mnist/kid baseline="model=gan\"""",
    "reproduce": """usage: ganvas reproduce [PAPER] [--scale smoke|cpu|full] [KEY=VALUE ...]

Measures the claims of a paper and judges each: PASS, FAIL or INCONCLUSIVE.
Without PAPER it lists the papers, with the minutes that each scale takes.

examples:
  ganvas reproduce
  ganvas reproduce iwae_table1 --scale cpu""",
    "sync": """usage: ganvas sync [DIR ...] [--anywhere]

Delivers to the store what it lacks of the runs below DIR (./outputs if none
is given), and ends runs whose process died as KILLED. May be stopped and
repeated.

  --anywhere   also create runs here that were logged to another store

examples:
  ganvas sync
  ganvas sync outputs/2026-01-31 /scratch/outputs --anywhere""",
    "ui": """usage: ganvas ui [--port N] [--host HOST]

Serves the MLflow UI on the configured store: MLFLOW_TRACKING_URI, else
./mlflow.db. Ctrl-C ends it.

examples:
  ganvas ui
  ganvas ui --port 5001""",
    "version": """usage: ganvas version

Prints the version of ganvas, of Python, and of what numbers depend on.

examples:
  ganvas version
  ganvas version | grep torch""",
    "doctor": """usage: ganvas doctor

Shows what ganvas finds here: torch, devices, threads, the store, caches, data
sets and weights, and what works with them. Nothing is downloaded.

examples:
  ganvas doctor
  GANVAS_DATA=/data ganvas doctor""",
    "completion": """usage: ganvas completion bash|zsh

Prints a script by which the shell completes commands, groups, choices and keys.

examples:
  eval "$(ganvas completion bash)"      # in ~/.bashrc
  eval "$(ganvas completion zsh)"       # in ~/.zshrc, after compinit""",
}

COMMANDS_WITH_HELP: Final = tuple(_TEXTS)


def help_of(command: str) -> str:
    """Make the help of a command.

    Args:
        command: its name.
    """
    text = _TEXTS[command]
    if command == "score":
        text += "\n\n" + _listed("metrics:", METRICS)
    if groups := groups_of(command):
        rows = [_listed(f"{group}=", choices_of(group)) for group in groups]
        text += "\n\ngroups: one word exchanges one part\n" + "\n".join(rows)
    if own := _own(command):
        text += f"\n\nkeys and defaults{_NESTED if command == 'train' else ''}:\n" + "\n".join(_folded(own))
    return text


def root_keys(command: str) -> list[str]:
    """List the keys of a root config, ``seed=`` with a value and ``budget.`` with keys below it.

    Args:
        command: its name.
    """
    own = _own(command).splitlines()
    found = [(line.partition(":")[0], line.partition(":")[2].strip()) for line in own if line[:1].isalpha()]
    return [f"{key}{'.' if not value or value.startswith('{every') else '='}" for key, value in found]


def _listed(head: str, names: Sequence[str]) -> str:
    """Write names in lines of at most 80 columns, after a head."""
    first = f"  {head:12} "
    return textwrap.fill(" ".join(names), _WIDTH, initial_indent=first, subsequent_indent=" " * 15)


def groups_of(command: str) -> list[str]:
    """List the config groups of a command: of ``train`` in the order of the root's defaults, the unchosen ones last.

    Args:
        command: its name.
    """
    if command != "train":
        return ["extractor"] if command == "score" else []
    root = files("ganvas.conf")
    folders = [entry.name for entry in root.iterdir() if entry.is_dir() and entry.name not in ("hydra", "__pycache__")]
    text = (root / "train.yaml").read_text(encoding="utf-8")
    found = sorted(folders, key=lambda name: (at if (at := text.find(f"- {name}:")) >= 0 else len(text), name))
    return [name for name in found if choices_of(name)]


def choices_of(group: str) -> list[str]:
    """List the configs of a group, without those that only other configs use.

    Args:
        group: its name.
    """
    names = sorted(entry.name for entry in (files("ganvas.conf") / group).iterdir())
    return [name.removesuffix(".yaml") for name in names if name.endswith(".yaml") and not name.startswith("_")]


def _own(command: str) -> str:
    """Return the lines of a root config between its defaults and Hydra's own node; nothing without such a config."""
    root = files("ganvas.conf") / f"{command}.yaml"
    if not root.is_file():
        return ""
    _, _, below = root.read_text(encoding="utf-8").partition("\n\n")
    return below.partition("\nhydra:")[0]


def _folded(own: str) -> Iterator[str]:
    """Yield the lines, with long comments folded."""
    for line in filter(None, own.splitlines()):
        code, mark, comment = (f"  {line}").partition("# ")
        if not mark or len(code) > _WIDTH // 2:  # no room beside it
            yield code.rstrip()
            code = " " * 25
        folded = textwrap.wrap(comment, _WIDTH - len(code) - 2)
        yield from (f"{code if row == 0 else ' ' * len(code)}# {part}" for row, part in enumerate(folded))
