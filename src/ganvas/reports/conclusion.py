"""What a reader takes away from a ranking, in sentences that a reviewer would accept."""

from __future__ import annotations

from collections.abc import Sequence

from ganvas.reports.configuration import Configuration
from ganvas.reports.ranking import Comparison, Ranking

NAMED = 4
"""Configurations that a sentence names before it counts."""


def conclude(ranking: Ranking) -> list[str]:
    """Sentences, the finding first.

    Args:
        ranking: of one protocol.
    """
    if not ranking.ranked:
        return ["No configuration has a score: there is nothing to rank."]
    best = ranking.ranked[0]
    said = [f"Best mean: {best.label}, {value_with_interval(best, ranking.score)}."]
    subject = best if ranking.baseline is None else ranking.baseline
    if len(ranking.ranked) > 1:
        said += _against(subject, [c for c in ranking.comparisons if subject in (c.first, c.second)], ranking)
    return said + _failed(ranking)


def value_with_interval(configuration: Configuration, score: str) -> str:
    """``fd 20.3 [19.1, 21.5] over 3 seeds``."""
    summary, interval = configuration.summary, configuration.interval
    ends = "" if summary.n < 2 else f" [{interval.low:.4g}, {interval.high:.4g}]"
    return f"{score.rpartition('/')[2]} {summary.mean:.4g}{ends} over {seeds(summary.n)}"


def seeds(n: int) -> str:
    """``1 seed``, ``2 seeds``."""
    return f"{n} seed{'' if n == 1 else 's'}"


def _against(subject: Configuration, comparisons: Sequence[Comparison], ranking: Ranking) -> list[str]:
    by_word: dict[str, list[Comparison]] = {}
    for c in comparisons:
        by_word.setdefault(_word_on(subject, c), []).append(c)
    name = "It" if ranking.baseline is None else f"The baseline, {subject.label},"
    family = len(ranking.comparisons)
    correction = "" if family == 1 else f", corrected for {family} comparisons"
    said = []
    for word in ("better", "worse"):
        if found := by_word.get(word):
            said.append(f"{name} is {word} than {_names(subject, found)} (paired by seed{correction}).")
    if found := by_word.get("within noise"):
        said.append(f"Against {_names(subject, found)} the difference is within noise{correction}: {_advice(found)}.")
    if found := by_word.get("too few seeds"):
        said.append(f"Too few common seeds to compare it with {_names(subject, found)}.")
    return said


def _word_on(subject: Configuration, comparison: Comparison) -> str:
    word = comparison.verdict.word
    swapped = {"better": "worse", "worse": "better"}
    return word if comparison.first is subject else swapped.get(word, word)


def _names(subject: Configuration, comparisons: Sequence[Comparison]) -> str:
    labels = [c.second.label if c.first is subject else c.first.label for c in comparisons]
    if len(labels) <= NAMED + 1:
        return "; ".join(labels)
    return f"{'; '.join(labels[:NAMED])} and {len(labels) - NAMED} others"


def _advice(comparisons: Sequence[Comparison]) -> str:
    if len(comparisons) == 1:
        return comparisons[0].verdict.advice
    needed = [c.verdict.more_seeds for c in comparisons]
    known = [n for n in needed if n is not None]
    if not known:
        return f"none of these {len(needed)} would be settled by 1000 seeds"
    span = f"{min(known)}" if min(known) == max(known) else f"{min(known)} to {max(known)}"
    beyond = f"; {len(needed) - len(known)} would need more than 1000" if len(known) < len(needed) else ""
    return f"about {span} more seeds each would settle them{beyond}"


def _failed(ranking: Ranking) -> list[str]:
    failed = len(ranking.failures)
    if not failed:
        return []
    where = len({f.label for f in ranking.failures})
    return [
        f"{failed} of {ranking.runs} runs, in {where} configuration{'' if where == 1 else 's'}, failed or have no "
        "score: means are of the seeds that finished, which flatters configurations that often fail."
    ]
