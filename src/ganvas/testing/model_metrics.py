"""Contracts of metrics of a model on its own data, measured by the pipeline of ``ganvas score`` on a synthetic model.

An image has one band for each factor, as bright as the factor's value is high. The synthetic model encodes the
brightness of the bands, and decodes it again.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any, final

import pytest
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Independent

from ganvas import models
from ganvas.data.datamodule import DataModule
from ganvas.data.source import Examples, KnownFactor, Source, TensorExamples
from ganvas.data.transforms import Identity
from ganvas.latents.posteriors import diagonal_normal
from ganvas.latents.priors import Normal
from ganvas.metrics.base import FACTORS, OF_MODEL, RECONSTRUCTIONS, Measured, Metric, Settings
from ganvas.metrics.registry import settings_of
from ganvas.models import Model
from ganvas.models.schedules import Constant
from ganvas.networks import mlp
from ganvas.objectives import ELBO, Gaussian
from ganvas.scoring.asked import Asked
from ganvas.scoring.material import Gathered
from ganvas.scoring.references import Reference, own_reference
from ganvas.scoring.subjects import ImagesSubject, ModelSubject
from ganvas.testing.class_metrics import BrightestQuarter

N = 600
SIDE = 36
KNOWN = (KnownFactor("kind", 3, ordered=False), KnownFactor("size", 4, ordered=True), KnownFactor("place", 6, True))
LATENTS = len(KNOWN) + 1
"""One for each factor, and one that never changes."""


class _ModelMetricContract:
    """Promises of every metric of a model on its own data."""

    needs: str

    @pytest.fixture
    def metric(self) -> Metric:
        """Return the metric under test."""
        raise NotImplementedError("override the fixture `metric`")

    @pytest.fixture
    def settings(self, metric: Metric) -> Settings:
        """Return the shipped values of all settings; override it to make a long computation short."""
        return Settings({**settings_of({}), **{setting.name: setting.value for setting in metric.settings}})

    def test_registration(self, metric: Metric) -> None:
        """The registration is complete."""
        assert isinstance(metric, Metric) and metric.needs == self.needs and metric.needs in OF_MODEL
        assert metric.revision >= 1 and metric.says and "\n" not in metric.says
        for setting in metric.settings:
            setting.check(setting.value)
            assert setting.says

    def test_scores_are_a_function_of_the_model_and_its_data(self, metric: Metric, settings: Settings) -> None:
        """Scores are finite and the same in two calls, with an error; the global random state does not change."""
        torch.manual_seed(3)
        before = torch.get_rng_state()
        first, second = (measured(metric, settings, vae(0.1), Bands(), calibration=c) for c in (True, False))
        assert dict(first.scores) == dict(second.scores) and torch.equal(before, torch.get_rng_state())
        assert set(first.scores) == set(metric.lower_is_better)
        for score in first.scores.values():
            assert math.isfinite(score.value) and score.sd is not None and score.sd >= 0 and score.sd_over
        assert set(first.floor) <= set(first.scores) and set(first.ceiling) <= set(first.scores)
        assert not second.floor and not second.ceiling

    def test_needs_a_model(self, metric: Metric, settings: Settings) -> None:
        """Images, which have no encoder, are refused by the name of the metric."""
        source = Bands()
        subject, reference = ImagesSubject("images", source.load("test")), Reference("bands", "test", source=source)
        with pytest.raises(ValueError, match=f"{metric.name} needs a model that"):
            metric.compute(Gathered(subject, reference, None, Asked(settings, N, seed=0), None))

    def test_is_measured_on_the_models_own_data(self, metric: Metric, settings: Settings) -> None:
        """Another reference is refused by the name of the metric."""
        with pytest.raises(ValueError, match=f"{metric.name} is measured on the model's own data"):
            measured(metric, settings, vae(0.1), Bands(), other=True)


class FactorMetricContract(_ModelMetricContract):
    """Contract of a metric that needs known factors. Derive a class with a fixture ``metric``."""

    needs = FACTORS

    def test_one_latent_for_a_factor_scores_better_than_mixtures(self, metric: Metric, settings: Settings) -> None:
        """By the stated direction, latents that are the factors are better than latents that mix all of them."""
        apart, mixed = (measured(metric, settings, vae(0.1, turn=turn), Bands()).scores for turn in (0.0, 0.6))
        better = [(apart[name].value - mixed[name].value) * (-1 if lower else 1) for name, lower in directions(metric)]
        assert min(better) > -0.02 and max(better) > 0.05  # what is known of the factors is the same in both

    def test_the_floor_is_reached_and_the_ceiling_is_noise(self, metric: Metric, settings: Settings) -> None:
        """Latents that are the factors have the score of the floor, and noise has a worse one."""
        found = measured(metric, settings, vae(0.1), Bands(), calibration=True)
        for name, lower in directions(metric):
            assert found.scores[name].value == pytest.approx(found.floor[name], abs=0.02)
            assert (found.ceiling[name] - found.floor[name]) * (-1 if lower else 1) < -0.1

    def test_the_protocol_knows_the_values_of_the_factors(self, metric: Metric, settings: Settings) -> None:
        """The same images with other values of their factors give another protocol."""
        plain, other = (measured(metric, settings, vae(0.1), Bands(moved)).conditions for moved in (0, 1))
        assert plain == measured(metric, settings, vae(0.2), Bands()).conditions != other
        assert plain["n"] == N and plain["factors"] == {factor.name: factor.values for factor in KNOWN}

    def test_without_known_factors_there_is_no_score(self, metric: Metric, settings: Settings) -> None:
        """Data that state no factors are refused by the name of the metric."""
        with pytest.raises(ValueError, match=f"{metric.name} needs data whose factors are known, and those of bands"):
            measured(metric, settings, vae(0.1), Bands(known=False))

    def test_a_collapsed_model_has_the_worst_score(self, metric: Metric, settings: Settings) -> None:
        """A model whose latents never change has a finite score, no better than noise."""
        found = measured(metric, settings, vae(0.0), Bands(), calibration=True)
        for name, lower in directions(metric):
            assert (found.scores[name].value - found.ceiling[name]) * (-1 if lower else 1) < 0.1


class ReconstructionMetricContract(_ModelMetricContract):
    """Contract of a metric of reconstructions. Derive a class with a fixture ``metric``."""

    needs = RECONSTRUCTIONS

    def test_a_smaller_fault_scores_better(self, metric: Metric, settings: Settings) -> None:
        """By the stated direction, reconstructions that are nearly the images are better than faulty ones."""
        near, far = (measured(metric, settings, vae(0.1, fault=fault), Bands()).scores for fault in (0.1, 0.4))
        for name, lower in directions(metric):
            assert near[name].value < far[name].value if lower else near[name].value > far[name].value

    def test_points_are_refused(self, metric: Metric, settings: Settings) -> None:
        """A model of points is refused by the name of the metric."""
        with pytest.raises(ValueError, match=f"{metric.name} compares images"):
            measured(metric, settings, vae_of_points(), Points("points", (2,)))


def directions(metric: Metric) -> list[tuple[str, bool]]:
    """List the scores that measure quality, with their direction."""
    return [(name, lower) for name, lower in metric.lower_is_better.items() if lower is not None]


def measured(
    metric: Metric, settings: Settings, model: Model, source: Source, *, calibration: bool = False, other: bool = False
) -> Measured:
    """Measure a model.

    Args:
        metric: the metric.
        settings: settings of all metrics.
        model: the scored model.
        source: its data.
        calibration: whether floor and ceiling are measured.
        other: whether the reference is another one than the model's own data.
    """
    data = DataModule(source, Identity(), batch_size=16, seed=0, workers=0)
    subject = ModelSubject("model", model, lambda: data, images_seen=0)
    reference = Reference("others", "test", source=source) if other else own_reference(subject)
    options = Asked(settings, N, seed=0, calibration=calibration)
    gathered = Gathered(subject, reference, BrightestQuarter(), options, None)
    gathered.require(metric)
    found: Measured = metric.compute(gathered)
    return found


def vae(brightness: float, turn: float = 0.0, fault: float = 0.1) -> models.VAE:
    """Make a VAE that encodes the brightness of the bands.

    Args:
        brightness: factor on the codes; 0 collapses the model.
        turn: angle, radians, by which each pair of latents is turned; 0 keeps one latent for each band.
        fault: brightness that reconstructions lack.
    """
    rest: dict[str, Any] = {"likelihood": Gaussian(sigma=1.0), "objective": ELBO(samples=1, beta=1.0, free_bits=0.0)}
    return _vae(Encoder(brightness, turn), Decoder(brightness, turn, fault), **rest)


def vae_of_points() -> models.VAE:
    """Make a VAE of points in the plane."""
    networks = (kind((2,), LATENTS, [4], "ReLU", nn.init.zeros_) for kind in (mlp.Encoder, mlp.Decoder))
    return _vae(*networks, likelihood=Gaussian(sigma=1.0), objective=ELBO(samples=1, beta=1.0, free_bits=0.0))


def _vae(encoder: Any, decoder: Any, **parts: Any) -> models.VAE:
    adam = partial(torch.optim.Adam, lr=1e-3)
    none: dict[str, Any] = {"ema_halflife": None, "gradient_clip": None}
    prior: Any = Normal(LATENTS)
    return models.VAE(prior, encoder, decoder, optimizer=adam, schedule=Constant(), schedules={}, **none, **parts)


def _turned(turn: float) -> Float[Tensor, "d d"]:
    """Turn the plane of each latent and the next one by an angle."""
    matrix = torch.eye(LATENTS)
    for first in range(LATENTS - 1):
        step = torch.eye(LATENTS)
        step[first : first + 2, first : first + 2] = torch.tensor(
            [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]
        )
        matrix = step @ matrix
    return matrix


class _Banded(nn.Module):
    """Codes of the brightness of bands."""

    mixing: Tensor

    def __init__(self, brightness: float, turn: float) -> None:
        super().__init__()
        self.shape, self.latent_dim, self.brightness = (1, SIDE, SIDE), LATENTS, brightness
        self.register_buffer("mixing", _turned(turn))
        self.idle = nn.Parameter(torch.zeros(()))  # an optimiser wants a parameter


@final
class Encoder(_Banded):
    """Encodes the mean brightness of each band, and a 0."""

    def forward(self, x: Float[Tensor, "n c h w"]) -> Independent:
        """Return posteriors of standard deviation 1e-3."""
        bands = x.mean((1, 3)).unflatten(1, (len(KNOWN), -1)).mean(2)
        codes = nn.functional.pad(bands, (0, 1)) @ self.mixing.T * self.brightness
        return diagonal_normal(torch.cat([codes, torch.full_like(codes, math.log(1e-6))], dim=1))


@final
class Decoder(_Banded):
    """Draws the bands that a code stands for, darker by a fault in every other column.

    Args:
        brightness: see :class:`Encoder`.
        turn: see :class:`Encoder`.
        fault: brightness that is missing.
    """

    def __init__(self, brightness: float, turn: float, fault: float) -> None:
        super().__init__(brightness, turn)
        self.fault = fault

    def forward(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n c h w"]:
        """Return the mean image."""
        bands = (z @ self.mixing)[:, : len(KNOWN)] / (self.brightness or 1)
        rows = bands.repeat_interleave(SIDE // len(KNOWN), dim=1)[:, None, :, None]
        return rows - self.fault * (torch.arange(SIDE, device=z.device) % 2)


@final
class Bands(Source):
    """Images with a band for each factor.

    Args:
        moved: number of images whose first factor has another value than the image shows.
        known: whether the factors are stated.
    """

    splits = ("train", "test")

    def __init__(self, moved: int = 0, known: bool = True) -> None:
        super().__init__("bands", (1, SIDE, SIDE))
        self.moved, self.factors = moved, KNOWN if known else None

    def _load(self, split: str) -> Examples:
        random = torch.Generator().manual_seed(self.splits.index(split))
        shown = torch.stack([torch.randint(f.values, (N,), generator=random) for f in KNOWN], dim=1)
        bright = shown * 200.0 / (torch.tensor([f.values for f in KNOWN]) - 1) + 20
        bands = bright.round().to(torch.uint8).repeat_interleave(SIDE // len(KNOWN), dim=1)
        images = bands[:, None, :, None].expand(N, 1, SIDE, SIDE)
        values = shown.clone()
        values[: self.moved, 0] = (values[: self.moved, 0] + 1) % KNOWN[0].values
        return TensorExamples(images.contiguous(), factors=None if self.factors is None else values)


@final
class Points(Source):
    """Points of a normal distribution."""

    splits = ("train", "test")

    def _load(self, split: str) -> Examples:
        return TensorExamples(torch.randn(N, 2, generator=torch.Generator().manual_seed(self.splits.index(split))))
