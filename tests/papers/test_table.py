"""The list of papers: every scale with its time, and the verdict that stands in the results folder."""

import io
import json

from rich.console import Console

from ganvas.papers.claims import paper_names, read_paper
from ganvas.papers.table import listing


def printed(papers, results):
    console = Console(width=160, file=io.StringIO())
    console.print(listing(papers, results))
    return console.file.getvalue()


def test_the_list_holds_claims_families_times_and_the_last_verdict_of_a_scale(tmp_path):
    paper = read_paper("iwae_table1")
    path = tmp_path / "iwae_table1" / "results" / "cpu.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"verdict": "INCONCLUSIVE", "protocol": {"date": "2001-02-03"}}))
    smoke, cpu, full = (
        next(x for x in printed([paper], tmp_path).splitlines() if f" {s} " in x) for s in paper.minutes
    )
    assert paper.name in smoke and paper.claim[:40] in smoke
    assert paper.family in cpu and f"{paper.minutes['cpu']:g}" in cpu and "INCONCLUSIVE 2001-02-03" in cpu
    assert f"{paper.minutes['full']:g}" in full and "2001" not in smoke + full


def test_the_list_holds_every_paper(tmp_path):
    papers = [read_paper(name) for name in paper_names()]
    text = printed(papers, tmp_path)
    assert len(papers) >= 8 and all(paper.name in text for paper in papers)
