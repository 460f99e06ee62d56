"""``index.html``: all pictures of a run on one page that needs no other file."""

from __future__ import annotations

import base64
from collections import defaultdict
from html import escape
from pathlib import Path
from typing import Final

from ganvas.run.callbacks.grids import ALL, ROW

_PAGE: Final = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>{title}</title>
<style>body {{ font: 15px sans-serif; margin: 1.5em }} figure {{ display: inline-block; margin: 0 1em 1em 0 }}
h1 {{ font-size: 1.1em }} img {{ width: 20em; max-width: 90vw; image-rendering: pixelated }}
figcaption {{ color: #555 }}</style>
<h1>{title}</h1><p>{sentence}</p>{series}</html>
"""


def gallery(folder: Path, title: str, sentence: str) -> str:
    """Write the page.

    Args:
        folder: output folder of the run.
        title: name of the run.
        sentence: the finding on the run.
    """
    series: defaultdict[str, list[str]] = defaultdict(list)
    for path in sorted((folder / ALL).glob("*.webp")):
        key, _, step = path.stem.rpartition("-")
        if key != ROW:
            series[key].append(_figure(path, int(step)))
    parts = [f"<h2>{escape(key)}</h2>{''.join(figures)}" for key, figures in sorted(series.items(), reverse=True)]
    return _PAGE.format(title=escape(title), sentence=escape(sentence), series="".join(parts))


def _figure(path: Path, step: int) -> str:
    picture = base64.b64encode(path.read_bytes()).decode()
    caption = f"{step:,} images"
    shown = f'<img src="data:image/webp;base64,{picture}" alt="{caption}">'
    return f"<figure>{shown}<figcaption>{caption}</figcaption></figure>"
