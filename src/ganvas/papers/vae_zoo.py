"""Every variational autoencoder of ganvas on MNIST, with one budget and, where a model allows it, one network.

The table has for each model the likelihood, Fréchet distance, Inception Score, active units and the seconds of a
training. No paper has it; its claims are orders that several papers state, at a budget that is equal for all.

Reference: Chadebec, Vincent and Allassonnière 2022 (pythae), section 4, https://arxiv.org/abs/2206.08309
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan, nan
from statistics import fmean, median, stdev
from typing import Final, final

from ganvas.papers.judgement import Measured
from ganvas.papers.program import Desk
from ganvas.papers.training import run_preset
from ganvas.storage.checkpoints import LAST
from ganvas.sweeps.overrides import quoted
from ganvas.types import BoundsEvidence

SMALL_CODES: Final = [
    "network=vq",
    *(f"network.{part}.blocks=1" for part in ("grid_encoder", "grid_decoder")),
    "network.grid_encoder.channels=[16,32]",
    "network.grid_decoder.channels=[32,16]",
    "network.predictor.channels=16",
    "network.predictor.layers=3",
]
"""Convolutions small enough for the time that the others take."""
EIGHT_DRAWS: Final = "objective.samples=8"
"""Draws for each image, in the place of the authors' 64, which would take ten times as long as the others."""
MODELS: Final[dict[str, list[str]]] = {
    "vae": ["model=vae"],
    "beta_vae": ["model=beta_vae"],
    "iwae": ["model=iwae"],
    **{name: ["model=vae", f"objective={name}"] for name in ("stl", "dreg")},
    "ciwae": ["model=vae", "objective=ciwae", EIGHT_DRAWS],
    **{name: ["model=vae", f"objective={name}", EIGHT_DRAWS, "objective.groups=2"] for name in ("miwae", "piwae")},
    **{name: ["model=vae", f"objective={name}"] for name in ("beta_tc", "beta_tc_stratified", "dip_i", "dip_ii")},
    **{name: ["model=vae", f"objective={name}"] for name in ("capacity", "info_vae")},
    **{name: ["model=vae", f"objective={name}"] for name in ("wae_mmd", "swae", "rae_l2", "rae_gp")},
    **{f"posterior={name}": ["model=vae", f"posterior={name}"] for name in ("full_normal", "planar", "iaf", "maf")},
    "sphere": ["model=vae", "prior=sphere", "posterior=von_mises_fisher"],
    **{f"prior={name}": ["model=vae", f"prior={name}"] for name in ("learned_mixture", "vamp", "flow")},
    "categories": ["model=vae", "prior=categorical", "prior.dim=200", "posterior=gumbel"],
    **{name: [f"model={name}"] for name in ("cvae", "factor_vae", "wae_gan", "aae")},
    "joint_vae": ["model=joint_vae", "transform=dynamic_binarisation"],
    "m2": ["model=m2", "network=mlp"],
    "vae_gan": ["model=vae_gan", "network=mlp"],
    "ladder_vae": ["model=ladder_vae", "network=ladder"],
    "hierarchical_vae": ["model=hierarchical_vae", "network=bottom_up"],
    "vdvae": ["model=vdvae", "network=vdvae", "network.hierarchy.width=16", "network.hierarchy.middle=8"],
    "vq_vae": ["model=vq_vae", *SMALL_CODES],
}
"""Overrides of each model."""
CODES: Final = "vq_vae"
"""The model whose samples need a second training, of the prior of its codes."""
PRIOR_OF_CODES: Final = ["model=code_prior", *SMALL_CODES]
LIKELIHOOD: Final = {"likelihood.k": 100, "likelihood.n": 1_000}
"""Draws for each image, and test images."""
COLUMNS: Final = {
    "nll": "score/likelihood/nll",
    "elbo": "score/likelihood/elbo",
    "active_units": "score/likelihood/active_units",
    "bits": "score/codes/bits_per_dimension",
    "fd": "score/mnist/fd",
    "is": "score/mnist/is",
}
"""Columns of the table, and the key of the score in each; the last column is the seconds of a training."""
SPEED: Final = "train/images_per_second"

Row = dict[str, float]


@final
@dataclass(frozen=True)
class Size:
    """Size of the comparison.

    Args:
        line: overrides of every training.
        seeds: trainings of each model.
    """

    line: list[str]
    seeds: int


SIZES: Final = {
    "smoke": Size(["data=mnist5k", "budget.images=640", "score.n=500"], 1),
    "cpu": Size([], 3),
    "full": Size(["budget.images=3_000_000"], 5),
}
FEW: Final = ("vae", "rae_l2", CODES)
"""Models of the scale ``smoke``: one with a likelihood, one without, and the codes."""


def measure(scale: str, desk: Desk) -> dict[str, Measured]:
    """Run the program; see :data:`ganvas.papers.program.Program`."""
    size, names = SIZES[scale], FEW if scale == "smoke" else MODELS
    rows = {name: [_row(desk, name, seed, size.line) for seed in desk.seeds(size.seeds)] for name in names}
    for name, found in rows.items():
        desk.report.update({f"{column}/{name}": mean for column, (mean, _) in summary(found).items()})
    (desk.folder / "table.md").write_text(table(rows), encoding="utf-8")
    if scale == "smoke":
        return {"nll_below_minus_elbo": Measured([-row["elbo"] - row["nll"] for row in rows["vae"]])}
    return {f"{name}_{scale}": value for name, value in _claims(rows).items()}


def _row(desk: Desk, name: str, seed: int, line: list[str]) -> Row:
    """Train a model and measure what applies to it."""
    trained = [run_preset(desk, "vae_zoo", name, seed, [*MODELS[name], *line])]
    if name == CODES:
        first = f"init_from={quoted(str((trained[0].folder / LAST).absolute()))}"
        trained.append(run_preset(desk, "vae_zoo", f"{name} prior", seed, [*PRIOR_OF_CODES, first, *line]))
    last = trained[-1]
    found = {key: last.score(key) for key in last.result["scores"]}
    if isinstance(last.subject.model, BoundsEvidence):
        found |= last.add_scores(("nll", "active_units"), n=0, settings=LIKELIHOOD).values()
    row = {column: found[key] for column, key in COLUMNS.items() if key in found}
    speeds = [one.course(SPEED)[1] for one in trained]
    if all(speeds):  # a training of the scale `smoke` ends before the first is logged
        images = [one.result["images_seen"] for one in trained]
        row["seconds"] = sum(n / median(speed) for n, speed in zip(images, speeds, strict=True))
    return row


def summary(rows: Sequence[Row]) -> dict[str, tuple[float, float]]:
    """Compute mean and standard deviation of each column over the seeds; NaN is the deviation of one value.

    Args:
        rows: one for each seed, with the same columns.
    """
    columns = {column: [row[column] for row in rows] for column in rows[0]}
    return {name: (fmean(values), stdev(values) if len(values) > 1 else nan) for name, values in columns.items()}


def table(rows: Mapping[str, Sequence[Row]]) -> str:
    """Write the table in Markdown: a line for each model, the mean over seeds and its standard deviation.

    Args:
        rows: rows of each model.
    """
    columns = [*COLUMNS, "seconds"]
    lines = [f"| model | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for name, found in rows.items():
        cells = summary(found)
        lines.append(f"| `{name}` | {' | '.join(_cell(cells.get(column)) for column in columns)} |")
    return "\n".join([*lines, ""])


def _cell(value: tuple[float, float] | None) -> str:
    if value is None:
        return ""
    mean, deviation = value
    return f"{mean:.4g}" if isnan(deviation) else f"{mean:.4g} ± {deviation:.1g}"


def _claims(rows: Mapping[str, Sequence[Row]]) -> dict[str, Measured]:
    """Differences of two models, paired by seed; each is positive if the claim is right."""

    def over(column: str, high: str, low: str) -> Measured:
        return Measured([a[column] - b[column] for a, b in zip(rows[high], rows[low], strict=True)])

    return {
        "nll_vae_over_iwae": over("nll", "vae", "iwae"),
        "nll_beta_vae_over_vae": over("nll", "beta_vae", "vae"),
        "nll_vae_over_iaf": over("nll", "vae", "posterior=iaf"),
        "nll_vae_over_vamp": over("nll", "vae", "prior=vamp"),
        "units_vae_over_beta_vae": over("active_units", "vae", "beta_vae"),
        "fd_vae_over_flow_prior": over("fd", "vae", "prior=flow"),
    }
