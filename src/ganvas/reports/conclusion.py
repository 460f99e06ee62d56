"""The conclusion of a ranking, in sentences that a reviewer would accept."""

from __future__ import annotations

from collections.abc import Sequence

from ganvas.reports.configuration import RankedConfiguration
from ganvas.reports.difference import Difference
from ganvas.reports.ranking import Ranking

NAMED = 4
"""Largest number of configurations that a sentence names; it counts the others."""


def conclude(ranking: Ranking) -> list[str]:
    """Write the sentences, the best configuration first.

    Args:
        ranking: ranking of the scores of one protocol.
    """
    if not ranking.ranked:
        return ["No configuration has a score: there is nothing to rank."]
    best = ranking.ranked[0]
    said = [_best(best, ranking.score)]
    subject = best if ranking.baseline is None else ranking.baseline
    if len(ranking.ranked) > 1:
        said += _against(subject, [d for d in ranking.differences if subject in (d.first, d.second)], ranking)
    return said + _healthiest(ranking) + _failed(ranking)


def warned(configuration: RankedConfiguration) -> str:
    """Name the health checks that warn, as in ``class_coverage warns in 2 of 3 seeds``; empty if none does."""
    n = configuration.summary.n
    return "; ".join(f"{check} warns in {count} of {seeds(n)}" for check, count in configuration.warnings.items())


def _best(best: RankedConfiguration, score: str) -> str:
    """Name the best mean; a configuration whose seeds are all unhealthy is not simply the best."""
    said = f"{best.label}, {value_with_interval(best, score)}"
    if best.unhealthy:
        return f"Best mean, but unhealthy: {said}: {warned(best)}."
    return f"Best mean: {said}{', but ' if best.warnings else ''}{warned(best)}."


def _healthiest(ranking: Ranking) -> list[str]:
    """Name the best configuration with a healthy seed, if the best one has none."""
    if not ranking.ranked[0].unhealthy:
        return []
    others = [c for c in ranking.ranked if not c.unhealthy]
    if not others:
        return ["No configuration has a healthy seed, one without a health warning."]
    found = others[0]
    said = f"{found.label}, {value_with_interval(found, ranking.score)}"
    return [f"Best mean with a healthy seed: {said}{', although ' if found.warnings else ''}{warned(found)}."]


def value_with_interval(configuration: RankedConfiguration, score: str) -> str:
    """Write a mean with its interval, as in ``fd 20.3 [19.1, 21.5] over 3 seeds``."""
    summary, interval = configuration.summary, configuration.interval
    ends = "" if summary.n < 2 else f" [{interval.low:.4g}, {interval.high:.4g}]"
    return f"{score.rpartition('/')[2]} {summary.mean:.4g}{ends} over {seeds(summary.n)}"


def seeds(n: int) -> str:
    """Write a number of seeds: ``1 seed``, ``2 seeds``."""
    return f"{n} seed{'' if n == 1 else 's'}"


def _against(subject: RankedConfiguration, differences: Sequence[Difference], ranking: Ranking) -> list[str]:
    by_word: dict[str, list[Difference]] = {}
    for d in differences:
        by_word.setdefault(_word_on(subject, d), []).append(d)
    name = "It" if ranking.baseline is None else f"The baseline, {subject.label},"
    family = ranking.comparisons
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


def _word_on(subject: RankedConfiguration, difference: Difference) -> str:
    swapped = {"better": "worse", "worse": "better"}
    return difference.word if difference.first is subject else swapped.get(difference.word, difference.word)


def _names(subject: RankedConfiguration, differences: Sequence[Difference]) -> str:
    labels = [d.second.label if d.first is subject else d.first.label for d in differences]
    if len(labels) <= NAMED + 1:
        return "; ".join(labels)
    return f"{'; '.join(labels[:NAMED])} and {len(labels) - NAMED} others"


def _advice(differences: Sequence[Difference]) -> str:
    if len(differences) == 1:
        return differences[0].advice
    needed = [d.more_seeds for d in differences]
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
        "score: means are over the seeds that finished, which flatters configurations that often fail."
    ]
