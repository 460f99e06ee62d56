"""``ganvas reproduce``: measure and judge the claims of a paper."""

from __future__ import annotations

import importlib
import time
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console

from ganvas.commands.carried import carried
from ganvas.config import CONFIG_PATH
from ganvas.data.seeding import require_seed
from ganvas.papers.claims import paper_names, read_paper
from ganvas.papers.judgement import judge
from ganvas.papers.program import Desk, Program
from ganvas.papers.record import record, results_file
from ganvas.papers.stopped import begin, end, stopped
from ganvas.papers.table import listing, verdicts
from ganvas.storage.atomic import write_json
from ganvas.tracking.hierarchy import ROLE, STUDY, STUDY_TAG
from ganvas.tracking.mlflow_run import MlflowRun
from ganvas.tracking.provenance import git_state
from ganvas.tracking.sync import require_delivered


@hydra.main(config_path=CONFIG_PATH, config_name="reproduce", version_base="1.3")
@carried
def main(cfg: DictConfig) -> None:
    """List the papers, or reproduce one; Hydra calls it with the composed config."""
    if cfg.paper is None:
        Console().print(listing([read_paper(name) for name in paper_names()], Path(cfg.paths.results)))
    else:
        reproduce(cfg, Path(HydraConfig.get().runtime.output_dir))


def reproduce(cfg: DictConfig, output: Path) -> dict[str, Any]:
    """Run one paper's program at one scale and judge its claims; go on with it if it was stopped in this folder.

    Args:
        cfg: the config, composed from ``conf/reproduce.yaml``.
        output: folder for ``result.json``, figures and runs.

    Returns:
        The content of ``result.json``.

    Raises:
        ConfigError: the paper does not exist, or has no such scale; or another reproduction was stopped in the folder.
        DataError: the seed is out of range.
    """
    require_seed("seed", cfg.seed)
    paper = read_paper(cfg.paper)
    claims = paper.at(cfg.scale)
    study, started = f"{paper.name}-{cfg.scale}", time.monotonic()
    tags = {ROLE: STUDY, STUDY_TAG: study, "ganvas.paper": paper.name}
    output.mkdir(parents=True, exist_ok=True)
    request = {"paper": paper.name, "scale": cfg.scale, "seed": cfg.seed, "commit": git_state(Path.cwd()).get("commit")}
    run_id, starts = stopped(output, request) or (None, 0)
    with MlflowRun.start(cfg.tracking.experiment, study, tags, output=output, run_id=run_id) as run:
        begin(output, request, run.id, starts + 1)
        desk = Desk(output, cfg.seed, cfg.paths.data, study, run.id, cfg.tracking.experiment, goes_on=starts > 0)
        program: Program = importlib.import_module(f"ganvas.papers.{paper.name}").measure
        measured = program(cfg.scale, desk)
        judged = {claim: (measured[claim.id], judge(claim, measured[claim.id])) for claim in claims}
        minutes = (time.monotonic() - started) / 60
        content = record(paper, cfg.scale, judged, desk.report, minutes, cfg.seed, starts + 1)
        write_json(results_file(Path(cfg.paths.results), paper.name, cfg.scale), content)
        result = {"run_id": run.id, **content, "output": str(output.absolute())}
        write_json(output / "result.json", result)
        run.metrics({f"claim/{claim.id}": judgement.estimate for claim, (_, judgement) in judged.items()}, step=0)
        run.tags(
            {"ganvas.verdict": content["verdict"]}
            | {f"ganvas.verdict.{c.id}": j.verdict.value for c, (_, j) in judged.items()}
        )
        for path in [output / "result.json", *sorted(output.glob("*.png")), *sorted(output.glob("*.md"))]:
            run.artifact(path)
    end(output)
    console = Console()
    console.print(verdicts(content))
    console.print(f"{content['verdict']}: run, figures and protocol in {output}; all runs: ganvas ui", soft_wrap=True)
    require_delivered(output)
    return result
