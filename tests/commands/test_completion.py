"""Completion of command lines: the words, and the scripts of the shells."""

import os
import shutil
import subprocess
import sys

import pytest

from ganvas.cli import COMMANDS, main
from ganvas.commands.completion import BASH, complete


@pytest.mark.parametrize(
    "line, words",
    [
        ("ganvas tr", ["train "]),
        ("ganvas train model=wgan", ["model=wgan", "model=wgan_gp"]),
        ("ganvas train -m model=gan,wgan_", ["model=gan,wgan_gp"]),
        ("ganvas train see", ["seed="]),
        ("ganvas train budg", ["budget."]),
        ("ganvas train mod", ["model="]),
        ("ganvas train optimizer.b", ["optimizer.betas."]),
        ("ganvas train model=wgan_gp model.n_c", ["model.n_critic="]),
        ("ganvas train -m model=gan,vae optimizer.l", ["optimizer.lr="]),
        (
            "ganvas score x extractor=inc",
            ["extractor=inception", "extractor=inception_fast", "extractor=inception_spatial"],
        ),
        ("ganvas sample x restore.st", ["restore.starts=", "restore.steps="]),
        ("ganvas reproduce iwae", ["iwae_table1 "]),
        ("ganvas sample ./sam", []),
        ("ganvas ui x", []),
    ],
)
def test_words_at_the_end_of_a_line(line, words):
    assert complete(line) == words


def test_every_command_is_offered():
    assert {word.strip() for word in complete("ganvas ")} == set(COMMANDS)


def test_a_line_of_hydra_is_answered_where_the_config_cannot_be_composed():
    assert complete("ganvas train model=none_such optimizer.l") == []


@pytest.mark.parametrize(
    "line, replies",
    [("ganvas train model=wgan", ["wgan", "wgan_gp"]), ("ganvas rep", ["report ", "reproduce "])],
)
def test_bash_completes(tmp_path, line, replies):
    (tmp_path / "ganvas").write_text(f'#!/bin/sh\nexec {sys.executable} -m ganvas "$@"\n')
    (tmp_path / "ganvas").chmod(0o755)
    ask = f'COMP_LINE="{line}" COMP_POINT={len(line)} COMP_WORDS=(ganvas); _ganvas; printf "%s\\n" "${{COMPREPLY[@]}}"'
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", f"{BASH}\n{ask}"], capture_output=True, text=True, env=environment)
    assert done.stdout.splitlines() == replies, done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_scripts_are_read_by_their_shells(shell, capsys):
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert " _ganvas ganvas" in script
    if path := shutil.which(shell):
        assert subprocess.run([path, "-n"], input=script, text=True).returncode == 0
    assert main(["completion", "fish"]) == 2
