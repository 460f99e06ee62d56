"""``ganvas completion``: scripts for bash and zsh, and the words that they ask for.

Commands, groups and their choices are read from names of files, which takes a tenth of a second. Keys below a group, as
``optimizer.lr``, depend on the chosen parts: Hydra's own completion composes the config and lists them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import Final

from ganvas.commands.help import COMMANDS_WITH_HELP, choices_of, groups_of, root_keys
from ganvas.usage import Parser

BASH: Final = r"""_ganvas() {
    local line="${COMP_LINE:0:COMP_POINT}" IFS=$'\n'
    local word="${line##*[[:space:]]}"
    COMPREPLY=($(COMP_LINE="$line" "${COMP_WORDS[0]}" completion query 2>/dev/null))
    # bash takes a word apart at = and :, and wants only what follows.
    local before="${word%"${word##*[=:]}"}"
    COMPREPLY=("${COMPREPLY[@]#"$before"}")
}
complete -o nospace -o default -F _ganvas ganvas"""
ZSH: Final = r"""_ganvas() {
    local -a found
    found=("${(@f)$(COMP_LINE="${(j: :)words[1,CURRENT-1]} $PREFIX" "${words[1]}" completion query 2>/dev/null)}")
    found=(${found:#})
    if (( ${#found} )); then
        compadd -Q -S '' -- "${found[@]}"
    else
        compset -P '*='
        _files
    fi
}
compdef _ganvas ganvas"""


def main(arguments: list[str]) -> None:
    """Print the script of a shell, or the words that complete the line in ``COMP_LINE``.

    Args:
        arguments: arguments after ``ganvas completion``: ``bash``, ``zsh``, or ``query``, which the scripts call.
    """
    parser = Parser(prog="ganvas completion")
    parser.add_argument("shell", choices=("bash", "zsh", "query"))
    shell = parser.parse_args(arguments).shell
    if shell == "query":
        print("\n".join(complete(os.environ.get("COMP_LINE", ""))))
    else:
        print({"bash": BASH, "zsh": ZSH}[shell])


def complete(line: str) -> list[str]:
    """Find the words that may stand at the end of a command line; a finished word ends with a space.

    Args:
        line: from the name of the program to the cursor.
    """
    words = line.split()
    last = "" if line.endswith(" ") else words.pop() if words else ""
    if len(words) <= 1:
        return [f"{command} " for command in COMMANDS_WITH_HELP if command.startswith(last)]
    command = words[1]
    if command == "reproduce" and "=" not in last:
        return [f"{name} " for name in _papers() if name.startswith(last)]
    if last.startswith(("-", "/", ".")) or not (files("ganvas.conf") / f"{command}.yaml").is_file():
        return []
    group, has_value, value = last.partition("=")
    if has_value and group in groups_of(command):
        return _values(group, value)
    if "." not in last and not has_value:
        names = [f"{group}=" for group in groups_of(command)] + root_keys(command)
        return sorted({name for name in names if name.startswith(last)})
    return _asked_of_hydra(command, [*_overrides(command, words[2:]), last])


def _values(group: str, value: str) -> list[str]:
    """Complete the last of the values, of which a sweep has several: ``model=gan,wg``."""
    before, comma, last = value.rpartition(",")
    return [f"{group}={before}{comma}{name}" for name in choices_of(group) if name.startswith(last)]


def _papers() -> list[str]:
    return sorted(entry.name for entry in files("ganvas.experiments").iterdir() if (entry / "claims.yaml").is_file())


def _overrides(command: str, words: Sequence[str]) -> Iterator[str]:
    """Yield the overrides among the words; of a group with several choices, as a sweep has them, with the first."""
    groups = groups_of(command)
    for word in words:
        if "=" in word:
            yield word.partition(",")[0] if word.partition("=")[0] in groups else word


def _asked_of_hydra(command: str, words: Sequence[str]) -> list[str]:
    from hydra import initialize_config_module
    from hydra._internal.core_plugins.bash_completion import BashCompletion
    from hydra.core.global_hydra import GlobalHydra

    import ganvas.config  # registers schemas and resolvers

    assert ganvas.config.CONFIG_PATH
    with initialize_config_module("ganvas.conf", version_base="1.3"):
        found = BashCompletion(GlobalHydra.instance().config_loader())._query(command, " ".join(words))
    return [word for word in found if not word.startswith("hydra")]
