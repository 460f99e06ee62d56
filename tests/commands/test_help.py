"""Help of the commands, and versions."""

import subprocess
import sys

import pytest

from ganvas.cli import COMMANDS, main
from ganvas.commands.help import METRICS, groups_of, help_of
from ganvas.config import choices, compose
from ganvas.metrics.registry import GROUPS, metrics


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_of_its_own_that_fits_a_terminal(command, capsys):
    assert main([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: ganvas {command}") and max(map(len, text.splitlines())) <= 80
    assert text[text.index("examples:") :].count(f"ganvas {command}") >= 2


def test_help_names_every_metric_group_choice_and_key():
    assert sorted(METRICS) == sorted([*metrics(), *GROUPS]) and all(f" {name}" in help_of("score") for name in METRICS)
    text = help_of("train")
    for group in ("model", "data", "network", "constraint", "experiment", "sweep", "debug"):
        listed = text[text.index(f"  {group}=") :].split("=")[1].split()
        assert set(choices(group)) <= set(listed), group
    for command in ("train", "score", "sample", "export", "report"):
        keys = [key for key in compose(command, []) if key not in (*groups_of("train"), *_OF_METRICS)]
        assert all(f"\n  {key}:" in help_of(command) for key in keys), command


_OF_METRICS = ("schedules", "settings", "memorisation", "parzen", "factors", "reconstruction", "ppl", "seen")


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from ganvas.cli import main; main(['train', '-h']); print({'torch', 'hydra'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("set()\n")


def test_version_names_what_numbers_depend_on(capsys):
    assert main(["version"]) == 0
    lines = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert {"ganvas", "python", "torch", "mlflow"} <= lines.keys()
    assert main(["version", "x"]) == 2
