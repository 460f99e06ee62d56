"""The site builds without a warning, and holds every document."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys

import pytest

from .blocks import DOCUMENTS, ROOT


@pytest.mark.slow
def test_the_site_builds_and_asks_no_other_server(tmp_path):
    pytest.importorskip("mkdocs", reason="pip install '.[docs]'")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path]
    done = subprocess.run(
        build, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    )
    assert done.returncode == 0, done.stderr[-3000:]
    api = (tmp_path / "reference" / "api.html").read_text()
    for name in ("ganvas.objectives.Hinge", "ganvas.networks", "ganvas.api.calls.train"):
        assert f'id="{name}"' in api, name
    assert "ganvas.objectives.R1" in (tmp_path / "reference" / "configs.html").read_text()
    for page in tmp_path.rglob("*.html"):
        assert not re.search(r'<(script|link)[^>]+(src|href)="https?://', page.read_text()), page


def test_every_document_stands_in_the_navigation():
    pytest.importorskip("mkdocs", reason="pip install '.[docs]'")
    spec = importlib.util.spec_from_file_location("site_pages", ROOT / "scripts" / "site_pages.py")
    pages = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pages)
    named = set(re.findall(r": ([\w/-]+\.md)", (ROOT / "mkdocs.yml").read_text()))
    for path in DOCUMENTS:
        source = path.relative_to(ROOT).as_posix()
        assert source == "README.md" or pages._on_site(source) in named, source
