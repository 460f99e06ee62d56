"""Write the table of verdicts in ``experiments/README.md`` from ``experiments/*/results/*.json``.

Usage: python scripts/verdict_table.py [--check]     # --check changes nothing and fails if the table is out of date
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from ganvas.papers.claims import SCALES
from ganvas.papers.table import our_number, paper_number

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- verdicts: made by scripts/verdict_table.py -->", "<!-- end of verdicts -->"
HEAD = "| paper, scale | claim | paper says | ours | band | verdict |\n|---|---|---|---|---|---|"


def table(results: list[dict[str, Any]]) -> str:
    """Make the table: one row for each claim, ordered by paper and scale."""
    ordered = sorted(results, key=lambda found: (found["paper"], SCALES.index(found["scale"])))
    return "\n".join([HEAD, *(row(found, i) for found in ordered for i in range(len(found["claims"])))])


def row(found: dict[str, Any], i: int) -> str:
    """Make the row of a claim; the first row of a paper and scale names both and the date of the run."""
    claim, protocol = found["claims"][i], found["protocol"]
    place = f"[{found['paper']}]({found['paper']}), {found['scale']}, {protocol['date']}" if i == 0 else ""
    cells = [place, claim["says"], paper_number(claim["paper"]), our_number(claim["ours"]), claim["band"]]
    return f"| {' | '.join(cells)} | {claim['verdict']} |"


def main() -> None:
    """Rewrite the text between the marks, or check that it is up to date."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    readme = ROOT / "experiments" / "README.md"
    before, _, rest = readme.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    results = [json.loads(path.read_text()) for path in sorted(ROOT.glob("experiments/*/results/*.json"))]
    text = f"{before}{BEGIN}\n{table(results)}\n{END}{after}"
    if not options.check:
        readme.write_text(text)
    elif text != readme.read_text():
        raise SystemExit(
            "experiments/README.md: the table of verdicts does not match experiments/; run scripts/verdict_table.py"
        )


if __name__ == "__main__":
    main()
