"""The page of checked metrics is what its file says, and names every metric of two sets of features."""

from __future__ import annotations

import subprocess
import sys

from ganvas.metrics.registry import metrics

from .blocks import ROOT

PAGE = ROOT / "docs" / "reference" / "metrics_checked.md"
ELSEWHERE = {"fid", "sfid", "topp_precision", "topp_recall", "topp_f1"}
"""`fid` and `sfid` are `fd` on other extractors."""


def test_the_page_is_what_its_file_says():
    subprocess.run([sys.executable, ROOT / "scripts" / "metrics_checked.py", "--check"], check=True, cwd=ROOT)


def test_every_metric_of_features_is_on_the_page():
    wanted = {name for name, metric in metrics().items() if metric.from_features} - ELSEWHERE
    assert not [name for name in sorted(wanted) if f"| `{name}` |" not in PAGE.read_text()]
