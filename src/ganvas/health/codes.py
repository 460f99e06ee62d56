"""Health checks of a codebook: how many of its codes are used, and how evenly.

Each threshold is a named constant with its source; 'ours' means that no paper gives a value. With several codes at a
place, the level that is used least is judged.
"""

from __future__ import annotations

from typing import Final

from jaxtyping import Int64
from torch import Tensor

from ganvas.health.checks import require_values
from ganvas.health.finding import Finding
from ganvas.latents.codebooks import usage

USED_SHARE: Final = 0.25
"""Smallest share of codes that occur (ours): with fewer, a codebook of a quarter of the size would do."""
PERPLEXITY_SHARE: Final = 0.02
"""Smallest perplexity as a share of the codes (ours), and at least 2: images with much background have a low one."""
_ADVICE: Final = (
    "The codebook has collapsed: let unused codes begin anew (quantiser.restart), take fewer codes, or quantiser=fsq."
)


def used_codes(counts: Int64[Tensor, "l k"]) -> Finding:
    r"""Judge whether the codes are used.

    .. math:: \#\{k : n_k > 0\} \ge 0.25\, K

    Args:
        counts: number of each of K codes in held-out examples, by level.

    Returns:
        ``used_codes``: number of codes that occur, at the level with the fewest.

    Raises:
        ValueError: there is no code.
    """
    require_values("counts", counts.flatten().nonzero())
    used, total = int(usage.used_codes(counts).min()), counts.shape[1]
    return Finding.of(
        "used_codes",
        float(used),
        used >= USED_SHARE * total,
        f"{used} of {total} codes occur among {int(counts[0].sum()):,} of held-out examples{_level(counts)} (at least "
        f"{USED_SHARE * total:g} are expected).",
        _ADVICE,
    )


def code_perplexity(counts: Int64[Tensor, "l k"]) -> Finding:
    r"""Judge whether the codes are used evenly enough to say something.

    .. math:: \exp H(n) \ge \max(2, 0.02\, K)

    Reference: the perplexity of van den Oord et al.'s program, https://github.com/google-deepmind/sonnet.

    Args:
        counts: number of each of K codes in held-out examples, by level.

    Returns:
        ``perplexity`` of the codes, at the level where it is smallest.

    Raises:
        ValueError: there is no code.
    """
    require_values("counts", counts.flatten().nonzero())
    value, least = float(usage.perplexity(counts).min()), max(2.0, PERPLEXITY_SHARE * counts.shape[1])
    return Finding.of(
        "perplexity",
        value,
        value >= least,
        f"The perplexity of the codes is {value:.3g} of {counts.shape[1]}{_level(counts)} (at least {least:g} is "
        "expected).",
        _ADVICE,
    )


def _level(counts: Int64[Tensor, "l k"]) -> str:
    return f", at the weakest of {len(counts)} levels" if len(counts) > 1 else ""
