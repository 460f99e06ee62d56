"""Pages of the site that stand elsewhere in the repository or follow from the code: a hook of mkdocs.

Links between documents are those of the repository, so that they also work on a forge; here they become links of the
site. A link to a file that is no page becomes plain text.
"""

from __future__ import annotations

import contextlib
import io
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml
from mkdocs.structure.files import File, Files

ROOT: Final = Path(__file__).parents[1]
MOVED: Final = {
    "CONTRIBUTING.md": "how-to/contributing.md",
    "CHANGELOG.md": "reference/changes.md",
    "examples/own_package/README.md": "how-to/own_package.md",
    "experiments/README.md": "papers/index.md",
    **{
        path.relative_to(ROOT).as_posix(): f"papers/{path.parent.name}.md"
        for path in sorted(ROOT.glob("experiments/*/README.md"))
    },
}
"""Documents outside docs/, and their places on the site."""
PACKAGES: Final = (
    *("ganvas", "objectives", "networks", "latents", "augment", "metrics", "extractors", "data", "models", "testing"),
)

_LINK: Final = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|#|mailto:)([^)#\s]+)(#[^)]*)?\)")
_FENCE: Final = re.compile(r"^( *```\w+)[^\n`]+$", re.MULTILINE)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages and pictures that do not stand in docs/."""
    for source, place in MOVED.items():
        files.append(File.generated(config, place, content=(ROOT / source).read_text()))
    for picture in sorted(ROOT.glob("experiments/*/results/*.png")):
        place = f"papers/{picture.parent.parent.name}/{picture.name}"
        files.append(File.generated(config, place, abs_src_path=str(picture)))
    for place, content in (("cli", _cli()), ("configs", _configs()), ("api", _api())):
        files.append(File.generated(config, f"reference/{place}.md", content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turn links between documents into links of the site, and drop the marks for tests from info strings."""
    place = page.file.src_uri
    source = next((source for source, moved in MOVED.items() if moved == place), f"docs/{place}")
    return _LINK.sub(lambda found: _link(found, source, place), _FENCE.sub(r"\1", markdown))


def _link(found: re.Match[str], source: str, place: str) -> str:
    mark, words, link, anchor = found.groups()
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
    there = _on_site(target)
    if there is None:
        return words
    return f"{mark}[{words}]({posixpath.relpath(there, posixpath.dirname(place) or '.')}{anchor or ''})"


def _on_site(target: str) -> str | None:
    """Place on the site of a file of the repository; None if it has none."""
    parts = target.split("/")
    if len(parts) == 4 and parts[0] == "experiments" and parts[2] == "results" and target.endswith(".png"):
        return f"papers/{parts[1]}/{parts[3]}"
    for name in (target, f"{target}/README.md"):
        if name in MOVED:
            return MOVED[name]
    return target.removeprefix("docs/") if target.startswith("docs/") and (ROOT / target).is_file() else None


def _cli() -> str:
    """The help of each command, and its root config with the comments."""
    from ganvas.cli import COMMANDS, main

    page = ["# Command line"]
    for name in ("", *COMMANDS):
        with contextlib.redirect_stdout(io.StringIO()) as said:
            main([*filter(None, [name]), "--help"])
        page += [f"## ganvas {name}"] * bool(name) + [f"```text\n{said.getvalue()}```"]
        if (config := ROOT / "conf" / f"{name}.yaml").is_file():
            page.append(f"```yaml\n{config.read_text()}```")
    return "\n\n".join(page)


def _configs() -> str:
    """A table for each config group: its options, and the comment at the head of each."""
    tables = [
        f"## {group.name}\n\n| | |\n|---|---|\n{rows}" for group in _groups() if (rows := "\n".join(_rows(group)))
    ]
    intro = "Each option is a file of the same name in `conf/GROUP/`, and is chosen by `GROUP=OPTION`."
    return "\n\n".join(["# Configs", intro, *tables])


def _groups() -> Iterator[Path]:
    yield from (path for path in sorted((ROOT / "conf").iterdir()) if path.is_dir() and path.name != "hydra")
    yield ROOT / "conf" / "hydra" / "launcher"


def _rows(group: Path) -> Iterator[str]:
    for path in sorted(group.glob("[!_]*.yaml")):
        head = re.match(r"(?:# @package \S+\n)?((?:#[^\n]*\n)*)", path.read_text())
        said = " ".join(line.lstrip("# ") for line in head[1].splitlines()) if head else ""
        said = re.sub(r"[|_*<]", lambda sign: f"&#{ord(sign[0])};", said)  # a comment is no Markdown
        target = (yaml.safe_load(path.read_text()) or {}).get("_target_")
        yield f"| `{path.stem}` | {said}{f' `{target}`' if target else ''} |"


def _api() -> str:
    """What each package exports, from the docstrings."""
    names = ["ganvas.api.calls", *(f"ganvas.{name}" for name in PACKAGES if name != "ganvas")]
    return "\n\n".join(["# API", *(f"::: {name}" for name in names)])
