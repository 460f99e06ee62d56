"""What the seeds of one configuration found: counts, means and deviations, as its run in MLflow shows them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from ganvas.run.naming import short_name
from ganvas.sweeps.seeds import Summary, seed_summary
from ganvas.sweeps.study import Trial
from ganvas.tracking.outcomes import FINISHED


@final
@dataclass(frozen=True)
class Finished:
    """The ended jobs of one configuration.

    Args:
        name: short name of the configuration.
        scores: scores by key, for each seed that finished.
        failures: number of seeds that did not.
        output: output folder of the first seed that finished; None if none did.
    """

    name: str
    scores: Sequence[Mapping[str, float]]
    failures: int
    output: Path | None

    @staticmethod
    def of(trial: Trial) -> Finished:
        """Read a trial, after its last job ended."""
        done = [job for job in trial.jobs.values() if job.done]
        finished = [job for job in done if job.outcome == FINISHED]
        output = next((Path(job.output) for job in finished if job.output), None)
        name = short_name(trial.values, None) or "configuration"
        return Finished(name, [job.scores for job in finished], len(done) - len(finished), output)

    def summary(self, key: str) -> Summary:
        """Summarise one score over the seeds that have it."""
        return seed_summary([scores[key] for scores in self.scores if key in scores])

    def metrics(self, keys: Iterable[str] | None = None) -> dict[str, float]:
        """Count seeds and failures, and summarise scores.

        Args:
            keys: keys of the scores; None takes all.

        Returns:
            ``seeds``, ``failures``, and ``n``, ``mean``, ``sd``, ``low``, ``high`` (95% interval) before each key.
        """
        values: dict[str, float] = {"seeds": float(len(self.scores)), "failures": float(self.failures)}
        for key in dict.fromkeys(key for scores in self.scores for key in scores) if keys is None else keys:
            for name, value in vars(self.summary(key)).items():
                values |= {f"{name}/{key}": float(value)} if math.isfinite(value) else {}
        return values

    def note(self, keys: Iterable[str]) -> str:
        """Write mean and standard deviation of scores in a sentence each.

        Args:
            keys: keys of the scores.
        """
        said = [f"{key.partition('/')[2]}: {_spread(self.summary(key))}." for key in keys]
        failed = [f"{self.failures} seeds failed."] if self.failures else []
        return " ".join([*said, *failed])


def _spread(summary: Summary) -> str:
    if not summary.n:
        return "no seed has it"
    sd = f" ± {summary.sd:.2g} (standard deviation over {summary.n} seeds)" if summary.n > 1 else " (one seed)"
    return f"mean {summary.mean:.4g}{sd}"
