"""Measure the interval and the time of each metric of features, and write ``docs/reference/metrics_checked.md``.

Coverage: 400 samples of a normal distribution in 16 dimensions are redrawn 500 times, the reference is held. The mean
over the redraws is the truth for that n, and the share of intervals, value plus and minus 1.96 times the error,
that hold it is the coverage. Its own standard error is 1 point at 95%.

Time: 10,000 samples against 10,000 reference images of 64 features and 10 classes, one thread, nothing known before.

Usage: python scripts/metrics_checked.py [METRIC ...] [--redraws 500] [--check]

``--check`` measures and changes nothing, and fails if the page is not that of the measured values.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from ganvas.extractors.features import Features
from ganvas.metrics.base import Score
from ganvas.metrics.c_t import Cells, c_t
from ganvas.metrics.comparison import Comparison
from ganvas.metrics.memorisation import audit
from ganvas.metrics.mifid import mifid
from ganvas.metrics.ms_ssim import pairs_of, similarity
from ganvas.metrics.registry import GROUPS, metrics, settings_of
from ganvas.metrics.rfd import paired_distance

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "metrics_checked.md"
RECORD = PAGE.with_suffix(".json")
BEGIN, END = "<!-- rows: made by scripts/metrics_checked.py -->", "<!-- end of rows -->"
SMALL: Final = (400, 16)
LARGE: Final = (10_000, 64)
SETTINGS: Final = settings_of({"kid_subsets": 100, "kid_subset_size": 100})
AGAINST: Final[dict[str, tuple[str, str]]] = {
    "fd": ("closed form, scipy's matrix root; pytorch-fid, torch-fidelity, torchmetrics", "1e-9"),
    "is": ("its formula; torch-fidelity", "1e-9"),
    "kid": ("the double sum; torch-fidelity", "1e-9"),
    "precision": ("torch-fidelity, prdc", "1e-6"),
    "recall": ("torch-fidelity, prdc", "1e-6"),
    "density": ("prdc", "1e-6"),
    "coverage": ("prdc", "1e-6"),
    "rarity": ("definition by loops", "1e-5"),
    "p_precision": ("definition in numpy", "1e-5"),
    "p_recall": ("definition in numpy", "1e-5"),
    "alpha_precision": ("transcription by loops over the levels", "1e-5"),
    "beta_recall": ("transcription by loops over the levels", "1e-5"),
    "topp_r": ("transcription of the authors' procedure by loops", "1e-5"),
    "fd_infinity": ("a line that is read exactly, scipy's regression; Gaussians whose distance is known", "1e-9"),
    "fd_shrunk": ("scikit-learn's LedoitWolf", "1e-9"),
    "is_infinity": ("transcription of the published line", "1e-6"),
    "kid_polynomial": ("double sum", "1e-9"),
    "kid_gaussian": ("double sum", "1e-9"),
    "cmmd": ("formula of the authors' code", "1e-6"),
    "mind": ("the published formula", "1e-5"),
    "swd": ("the published formula", "1e-5"),
    "vendi": ("formula of the authors' code", "1e-6"),
    "rfd": ("its formula", "1e-6"),
    "ms_ssim": ("formula of the paper", "1e-4"),
    "mifid": ("transcription of the competition's code, torchmetrics' parts", "1e-6"),
    "c_t": ("transcription of the authors' statistic", "1e-5"),
    "memorisation": ("scipy's neighbours", "1e-12"),
}
"""What the values of each metric are checked against by its test, and how closely they agree there."""
Measure = Callable[[int], Mapping[str, Score]]


def side(shape: tuple[int, int], seed: int, scale: float = 1.0, shift: float = 0.0) -> Features:
    """Draw a set of features and logits."""
    draw = torch.Generator().manual_seed(seed)
    values = torch.randn(shape, generator=draw) * torch.linspace(0.4, 1.6, shape[1]) * scale + shift
    return Features(values, 3 * torch.randn(shape[0], 10, generator=draw), "drawn", "0" * 64)


def measure_of(metric: str, shape: tuple[int, int]) -> Measure:
    """Return the function from a seed of the samples to scores; what the reference alone needs is not shared."""
    fake = lambda seed: side(shape, seed, 0.8, 0.2)  # noqa: E731

    def pair(seed: int) -> Mapping[str, Score]:
        both = Comparison(side(shape, 0), fake(seed), SETTINGS)
        return {name: metrics()[name].compute(both) for name in GROUPS.get(metric, (metric,))}

    def reconstructed(seed: int) -> Mapping[str, Score]:
        originals = side(shape, seed).values
        made = 0.9 * originals + 0.3 * torch.randn(shape, generator=torch.Generator().manual_seed(-seed))
        return {metric: Score(*paired_distance(originals, made), "images")}

    def pictures(seed: int) -> Mapping[str, Score]:
        draw = torch.Generator().manual_seed(seed)
        smooth = torch.nn.functional.interpolate(torch.rand(shape[0], 1, 8, 8, generator=draw), size=32, mode="bicubic")
        pairs = pairs_of([torch.arange(shape[0])], 1000, seed)
        found = similarity((smooth * 255).clamp(0, 255).to(torch.uint8), pairs)
        return {metric: Score(found.mean, found.standard_error, "images")}

    def copying(seed: int) -> Mapping[str, Score]:
        cells = Cells(side(shape, 0).values, cells=3, components=64, seed=0)
        held_out, fakes = (cells.place(x.values) for x in (side(shape, -seed), fake(seed)))
        return {metric: Score(*c_t(held_out, fakes, least=20), "images")}

    def copies(seed: int) -> Mapping[str, Score]:
        found = mifid(side(shape, 0), fake(seed), threshold=0.1)
        return {metric: Score(found.value, found.error, "images")}

    def audited(seed: int) -> Mapping[str, Score]:
        audit(side(shape, 0).values, side(shape, 1).values, fake(seed).values, quantile=0.01, pairs=0)
        return {}

    own = {"rfd": reconstructed, "ms_ssim": pictures, "c_t": copying, "mifid": copies, "memorisation": audited}
    return own.get(metric, pair)


def coverage(metric: str, redraws: int) -> dict[str, float]:
    """Return the share of intervals that hold the mean, in percent, of each score with an error."""
    measure = measure_of(metric, SMALL)
    found = [measure(seed) for seed in range(2, redraws + 2)]
    covered = {}
    for name in found[0]:
        if "images" not in found[0][name].sd_over:
            continue  # a deviation over splits or subsets, or none
        values, errors = (np.array([getattr(scores[name], key) for scores in found], float) for key in ("value", "sd"))
        covered[name] = 100 * float(np.mean(np.abs(values - values.mean()) < 1.96 * errors))
    return covered


def seconds(metric: str) -> float:
    """Return the time of one measurement of many images."""
    measure = measure_of(metric, LARGE)
    start = time.perf_counter()
    measure(2)
    return time.perf_counter() - start


def rows(record: Mapping[str, Any]) -> Iterator[str]:
    """Make the lines of the table."""
    yield "| `metrics=[...]` | checked against | agreement | coverage of the 95% interval | seconds at 10,000 |"
    yield "|---|---|---|---|---|"
    for metric, (against, agreement) in AGAINST.items():
        if metric not in record:
            continue
        held = record[metric]["coverage"]
        of = ", ".join(f"{value:.1f}%" if len(held) == 1 else f"{name} {value:.1f}%" for name, value in held.items())
        took = f"{record[metric]['seconds']:.2g}"
        yield f"| `{metric}` | {against} | {agreement} | {of or 'no error over images'} | {took} |"


def main() -> None:
    """Measure the metrics of the command line and rewrite the table, or check it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("metrics", nargs="*", metavar="METRIC", help="default: all")
    parser.add_argument("--redraws", type=int, default=500)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    for metric in () if options.check else options.metrics or AGAINST:
        record[metric] = {"coverage": coverage(metric, options.redraws), "seconds": seconds(metric)}
        print(metric, record[metric], flush=True)
        RECORD.write_text(json.dumps(record, indent=1) + "\n")
    before, rest = PAGE.read_text().split(BEGIN)
    page = f"{before}{BEGIN}\n" + "\n".join(rows(record)) + f"\n{END}{rest.split(END)[1]}"
    if not options.check:
        PAGE.write_text(page)
    elif page != PAGE.read_text():
        raise SystemExit("docs/reference/metrics_checked.md does not match its file; run scripts/metrics_checked.py")


if __name__ == "__main__":
    main()
