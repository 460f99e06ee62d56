"""The command line: parses, forwards, and turns an error into one message and an exit code.

Nothing heavy is imported at module level, so that ``ganvas --help`` answers at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path

from ganvas.imports import uncollected
from ganvas.storage.best_effort import best_effort_stdout, complain, status
from ganvas.sweeps.overrides import as_typed, quoted
from ganvas.tracking.signals import Stopped, exit_code, is_interruption, stop_signals_raise
from ganvas.usage import Parser

USAGE = """usage: ganvas COMMAND ...

  train [OVERRIDE ...] [-m]   train, log and score one model; with -m one for each combination (a sweep);
                              with --dry-run show the parts, the speed and the duration, and train nothing
  score SOURCE [SOURCE ...] [--table] [OVERRIDE ...]
                              score a run, a checkpoint, or images (folder, .npz, .npy) against a reference; of several
                              say which is better; with --table write a leaderboard
  sample SOURCE [-n N] [--seed S] [--classes C,C,...] [--out DIR] [--kind grid|interpolation|traversal|
                              directions|reconstruction|invert|inpaint|denoise|superres|walk|training]
                              draw examples of a trained model: an array, which score can read, and a picture
  export SOURCE [--out DIR] [--register NAME] [--push OWNER/NAME]
                              write a model as a folder that travels: weights, config, model card, ONNX; register it
  rerun RUN_ID                train a run again from its record, and show the differences
  report STUDY [STUDY ...] [--open]
                              write table, statistics and plots of studies on one HTML page, also logged to MLflow
  reproduce [PAPER] [--scale smoke|cpu|full]   test the claims of a paper; without PAPER list the papers
  sync [DIR ...] [--anywhere] deliver what the store lacks of runs below DIR (./outputs), and end dead runs as KILLED
  ui [--port N] [--host H]    serve the MLflow UI on the configured store
  doctor                      show what is here (torch, devices, store, data, weights) and what works with it
  version                     print the versions of ganvas and of what its numbers depend on
  completion bash|zsh         print a script by which the shell completes commands, groups, choices and keys

Overrides are Hydra's, for example:
  ganvas train model=wgan_gp data=mnist5k network=dcgan seed=3 budget.images=200_000
  ganvas train -m experiment=demo_gan,demo_wgan_gp,demo_vae
  ganvas score samples/ reference=photos/ extractor=inception metrics=[fid,is,kid,prdc]
  ganvas report lucic score=score/mnist/fd
`ganvas COMMAND --help` shows what a command takes, `ganvas train --help` all keys and groups;
`ganvas train model=vae --cfg job` shows a config without running it.
GANVAS_DEBUG=1 shows the traceback of an error."""

OK, FAILURE, BAD_INPUT = 0, 1, 2
DRY_RUN = "--dry-run"


_WITH_VALUE = ("--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd")
"""Options of Hydra that take the next argument, unless they are written with ``=``."""


def _without_options(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Take Hydra's options with their values out: no value is a study or a paper, and no override may follow one."""
    options: list[str] = []
    rest = list(arguments)
    for option in [argument for argument in arguments if argument.partition("=")[0] in _WITH_VALUE]:
        at = rest.index(option)
        taken = rest[at : at + (1 if "=" in option else 2)]
        del rest[at : at + len(taken)]
        options += taken
    return rest, options


def _check_options(command: str, arguments: list[str]) -> None:
    """Let a parser that raises read Hydra's options; Hydra's own prints its usage and ends the process."""
    from hydra._internal.utils import get_args_parser

    from ganvas.config.aliases import require_small

    parser = get_args_parser()
    parser.__class__, parser.prog = Parser, f"ganvas {command}"
    if "--version" not in arguments:
        options = parser.parse_args(arguments)
        if options.config_dir is not None:
            require_small(Path(options.config_dir))


def _source_and_options(command: str, keys: Mapping[str, str], arguments: list[str]) -> list[str]:
    """Write SOURCE and the command's own options as overrides."""
    own, rest = _own_options(command, keys, arguments)
    return [*_source_override(rest), *own]


def _own_options(command: str, keys: Mapping[str, str], arguments: list[str]) -> tuple[list[str], list[str]]:
    """Split arguments into the command's own options, written as Hydra's overrides, and all other arguments."""
    parser = Parser(prog=f"ganvas {command}", add_help=False, allow_abbrev=False)
    for option, key in keys.items():
        parser.add_argument(option, dest=key)
    options, rest = parser.parse_known_args(arguments)
    return [f"{key}={quoted(value)}" for key, value in vars(options).items() if value is not None], rest


def _rerun_overrides(arguments: list[str]) -> list[str]:
    return [a if a.startswith("-") or "=" in a else f"run_id={quoted(a)}" for a in arguments]


def _score_overrides(arguments: list[str]) -> list[str]:
    """Mark the keys of a data set by `++`, which tells Hydra to add them: conf/score.yaml does not contain them."""
    arguments = ["table=true" if a == "--table" else a for a in arguments]
    sources = [a for a in arguments if _is_source(a)]
    if len(sources) < 2:
        written = _source_override([*sources, *(a for a in arguments if a not in sources)])
    else:
        listed = ",".join(quoted(source.replace("${", "\\${")) for source in sources)  # a name, not an interpolation
        written = [f"sources=[{listed}]", *(a for a in arguments if a not in sources)]
    return [f"++{x}" if x.startswith("data.") else x for x in written]


def _studies_override(arguments: list[str]) -> list[str]:
    """Collect the arguments that are neither option nor override into one quoted list, the override ``studies``."""
    arguments = ["open=true" if a == "--open" else a for a in arguments]
    names = [a for a in arguments if not a.startswith("-") and "=" not in a]
    listed = ",".join(quoted(name.replace("${", "\\${")) for name in names)  # a name, not an interpolation
    return [*([f"studies=[{listed}]"] if names else []), *(a for a in arguments if a not in names)]


def _source_override(arguments: list[str]) -> list[str]:
    """Write the first argument as the override ``source``, quoted for any path, unless it is an option or override."""
    source, *rest = arguments or [""]
    return [f"source={quoted(source)}", *rest] if _is_source(source) else arguments


def _is_source(argument: str) -> bool:
    """Whether an argument is a SOURCE, and no option or override; a path may hold the sign =."""
    return bool(argument) and not argument.startswith("-") and ("=" not in argument or os.path.exists(argument))


def _paper_overrides(arguments: list[str]) -> list[str]:
    """Write PAPER and --scale as overrides; keep overrides and Hydra's own options."""
    scale, rest = _own_options("reproduce", {"--scale": "scale"}, arguments)
    words = [word if word.startswith("-") or "=" in word else f"paper={word}" for word in rest] + scale
    # The list of papers writes nothing, so it needs no output folder.
    return words if any(word.startswith("paper=") for word in words) else [*words, "hydra.run.dir=."]


_SAMPLE = {"-n": "n", "--seed": "seed", "--classes": "classes", "--kind": "kind", "--out": "paths.output"}
_EXPORT = {"--out": "paths.output", "--register": "register", "--push": "push"}
"""Keys of the commands' own options."""
OVERRIDES: dict[str, Callable[[list[str]], list[str]]] = {
    "train": list,
    "score": _score_overrides,
    "sample": partial(_source_and_options, "sample", _SAMPLE),
    "export": partial(_source_and_options, "export", _EXPORT),
    "rerun": _rerun_overrides,
    "report": _studies_override,
    "reproduce": _paper_overrides,
}
"""Functions that turn the arguments of a command into overrides, for the commands that Hydra starts."""
COMMANDS = (*OVERRIDES, "sync", "ui", "doctor", "version", "completion")


def _run(command: str, arguments: list[str]) -> None:
    if command in OVERRIDES:
        status("composing the config")
    if command == "train" and DRY_RUN in arguments:
        command, arguments = "dry_run", as_typed([argument for argument in arguments if argument != DRY_RUN])
    with uncollected():
        module = import_module(f"ganvas.commands.{command}")
    if (here := os.getcwd()) not in sys.path:
        sys.path.append(here)  # so that a class of a file in the working folder can be named, as `_target_: my.Net`
    if command not in OVERRIDES:
        module.main(arguments)
        return
    from ganvas.config import spelled_out
    from ganvas.config.mode import composed_once

    # Otherwise Hydra prints its own summary of an exception and exits with 1; `explain` needs the exception itself.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    words, options = _without_options(arguments)
    given = spelled_out(as_typed([*OVERRIDES[command](words), *options]))
    _check_options(command, given)
    sys.argv = [f"ganvas {command}", *given]
    with composed_once(given):
        module.main()


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: command and its arguments; None takes ``sys.argv``.

    Returns:
        0 on success, 2 on bad input, 1 on any other failure, 128 plus its number after a signal (Ctrl-C: 130).
    """
    with best_effort_stdout():
        return _main((list(argv) if argv is not None else sys.argv[1:]) or ["--help"])


def _main(argv: list[str]) -> int:
    command, *arguments = argv
    if command in ("-h", "--help"):
        print(USAGE)
        return OK
    if command == "--version":
        from ganvas import __version__

        print(__version__)
        return OK
    if command not in COMMANDS:
        return _complain(f"unknown command {command!r}; known are {', '.join(COMMANDS)}", BAD_INPUT)
    if {"-h", "--help"} & set(arguments):
        from ganvas.commands.help import help_of

        print(help_of(command))
        return OK
    return _guarded(command, arguments)


def _guarded(command: str, arguments: list[str]) -> int:
    try:
        with stop_signals_raise():
            _run(command, arguments)
    except Exception as error:
        return _explained(error, command, arguments)
    except BaseException as stop:
        from ganvas.commands.carried import Carried

        if isinstance(stop, Carried):
            return _explained(stop.error, command, arguments)
        if not is_interruption(stop):
            raise  # Hydra exits this way after --help or --cfg
        return _complain(str(stop) if isinstance(stop, Stopped) else "interrupted", exit_code(stop))
    return OK


def _explained(error: Exception, command: str, arguments: list[str]) -> int:
    from ganvas.errors import tell

    return tell(error, command, arguments)


def _complain(message: str, code: int) -> int:
    complain(message)
    return code


if __name__ == "__main__":
    sys.exit(main())
