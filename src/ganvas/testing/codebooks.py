"""Contracts of codebooks: quantisers, distributions over grids of codes, and the networks of a model with codes."""

from __future__ import annotations

import copy
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor

from ganvas.latents import Quantiser
from ganvas.testing.networks import BATCH, Build, NetworkContract
from ganvas.types import DrawsRows, GridDecoder, GridEncoder, LatentDistribution, Predictor

GRID = (3, 4)
"""Rows and columns of the grids on which quantisers and predictors are tested."""


class QuantiserContract:
    """Contract of a quantiser. Derive a class with a fixture ``quantiser``, whose vectors need not be learned."""

    @pytest.fixture
    def quantiser(self) -> Quantiser:
        """Return the quantiser under test."""
        raise NotImplementedError("override the fixture `quantiser`")

    def grid(self, quantiser: Quantiser, n: int = 5, seed: int = 0) -> Tensor:
        """Draw grids of vectors."""
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(n, quantiser.dim, *GRID, generator=generator)

    def test_codes_stand_for_vectors(self, quantiser: Quantiser) -> None:
        """Codes are in range, and their vectors are exactly what the quantised grid holds."""
        said = quantiser(self.grid(quantiser))
        assert said.codes.shape == (5, quantiser.depth, *GRID) and said.codes.dtype == torch.int64
        assert said.codes.min() >= 0 and said.codes.max() < quantiser.codes
        assert said.z.shape == (5, quantiser.dim, *GRID) and said.z.dtype == torch.float32
        torch.testing.assert_close(said.z, quantiser.embed(said.codes), rtol=0, atol=0)

    def test_vectors_have_their_codes(self, quantiser: Quantiser) -> None:
        """A vector of the codebook is quantised to itself if a place has one code."""
        if quantiser.depth > 1 or self.squashes(quantiser):
            return
        codes = torch.arange(quantiser.codes).view(-1, 1, 1, 1)
        assert torch.equal(quantiser(quantiser.embed(codes)).codes, codes)

    def squashes(self, quantiser: Quantiser) -> bool:
        """Whether the vectors that come in are bounded first; by default they are not."""
        return False

    def test_places_and_images_are_independent(self, quantiser: Quantiser) -> None:
        """The code of a place depends on the vector at this place only, and losses are those of each image."""
        z = self.grid(quantiser)
        said = quantiser(z)
        alone = quantiser(z.movedim(1, -1).flatten(0, 2)[..., None, None])
        assert torch.equal(alone.codes.squeeze((2, 3)), said.codes.movedim(1, -1).flatten(0, 2))
        parts = [quantiser(part) for part in z.split(2)]
        for name, term in said.terms.items():
            assert term.shape == (5,) and (term >= 0).all()
            torch.testing.assert_close(torch.cat([part.terms[name] for part in parts]), term)

    def test_the_gradient_passes_straight_through(self, quantiser: Quantiser) -> None:
        """The grid that came in gets a finite gradient from what comes after; the losses have gradients too."""
        z = self.grid(quantiser).requires_grad_()
        said = quantiser(z)
        weight = torch.linspace(-1, 1, z.numel()).view(z.shape)
        (gradient,) = torch.autograd.grad((said.z * weight).sum(), z, retain_graph=True)
        assert gradient.isfinite().all() and gradient.any()
        if not self.squashes(quantiser):
            assert torch.equal(gradient, weight)
        if said.terms:
            (gradient,) = torch.autograd.grad(torch.stack(list(said.terms.values())).sum(), z)
            assert gradient.isfinite().all() and gradient.any()

    def test_only_learning_changes_it(self, quantiser: Quantiser) -> None:
        """Quantising changes nothing; learning draws from no global generator, and brings no vector further away."""
        before = copy.deepcopy(quantiser.state_dict())
        z = self.grid(quantiser, n=40)
        said = quantiser.train()(z)
        assert all(torch.equal(value, before[key]) for key, value in quantiser.state_dict().items())
        state = torch.get_rng_state()
        for _ in range(3):
            quantiser.learn(z, quantiser(z).codes)
        assert torch.equal(state, torch.get_rng_state())
        error = (quantiser(z).z - z).square().sum()
        assert self.squashes(quantiser) or error <= (said.z - z).square().sum()

    def test_a_copy_goes_on_in_the_same_way(self, quantiser: Quantiser) -> None:
        """A quantiser that is made anew from the state dict learns the same, bit for bit."""
        z = self.grid(quantiser, n=40)
        quantiser.learn(z, quantiser(z).codes)
        other = copy.deepcopy(quantiser)
        for value in other.state_dict().values():
            value.zero_()
        other.load_state_dict(quantiser.state_dict())
        for each in (quantiser, other):
            each.learn(z, each(z).codes)
        mine, theirs = quantiser.state_dict(), other.state_dict()
        assert all(torch.equal(mine[key], theirs[key]) for key in mine)

    def test_half_precision_is_widened(self, quantiser: Quantiser) -> None:
        """Vectors of half precision get the codes that they have in float32, also under autocast."""
        z = self.grid(quantiser).to(torch.bfloat16)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            said = quantiser(z)
        assert said.z.dtype == torch.float32 and torch.equal(said.codes, quantiser(z.float()).codes)


class CodeDistributionContract:
    """Contract of a distribution over grids of codes. Derive a class with the fixtures ``prior`` and ``sizes``."""

    @pytest.fixture
    def prior(self) -> LatentDistribution:
        """Return the distribution under test, over so few codes and places that all grids can be listed."""
        raise NotImplementedError("override the fixture `prior`")

    @pytest.fixture
    def sizes(self) -> tuple[int, int, int, int]:
        """Return depth, rows and columns of its grids, and the number of values of a code."""
        raise NotImplementedError("override the fixture `sizes`")

    def test_draws_are_a_function_of_the_generator(self, prior: LatentDistribution, sizes: tuple[int, ...]) -> None:
        """Draws are codes in range, depend only on the generator, and leave the global random state unchanged."""
        assert isinstance(prior, LatentDistribution)
        *shape, values = sizes
        before = torch.get_rng_state()
        z, again, other = (prior.sample(40, generator=torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
        assert z.shape == (40, *shape) and z.dtype == torch.int64 and z.min() >= 0 and z.max() < values
        assert torch.equal(z, again) and not torch.equal(z, other)
        assert torch.equal(before, torch.get_rng_state())

    def test_probabilities_of_all_grids_add_up_to_one(self, prior: LatentDistribution, sizes: tuple[int, ...]) -> None:
        """The sum over all grids is 1."""
        assert prior.log_prob(every_grid(sizes)).double().exp().sum().item() == pytest.approx(1, abs=1e-5)

    def test_draws_are_as_frequent_as_probable(self, prior: LatentDistribution, sizes: tuple[int, ...]) -> None:
        """The frequency of each grid among 4,000 draws is its probability, within five standard errors."""
        *shape, values = sizes
        n, grids = 4000, every_grid(sizes)
        expected = prior.log_prob(grids).detach().double().exp()
        drawn = prior.sample(n, generator=torch.Generator().manual_seed(0)).flatten(1)
        place = values ** torch.arange(drawn.shape[1] - 1, -1, -1)
        found = (drawn * place).sum(1).bincount(minlength=len(grids)) / n
        assert ((found - expected).abs() <= 5 * (expected / n).sqrt() + 1 / n).all()


def every_grid(sizes: tuple[int, ...]) -> Tensor:
    """List all grids of codes.

    Args:
        sizes: depth, rows and columns, and the number of values of a code.
    """
    *shape, values = sizes
    rows = list(product(range(values), repeat=torch.Size(shape).numel()))
    return torch.tensor(rows).unflatten(1, shape)


class GridEncoderContract(NetworkContract):
    """Contract of an encoder to a grid. Derive a class with a fixture ``build``."""

    protocol = GridEncoder

    def check_output(self, net: Any, output: Any) -> None:
        """Check that there is a vector at each place."""
        assert output.shape == (BATCH, net.latent_dim, *net.grid)


class GridDecoderContract(NetworkContract):
    """Contract of a decoder from a grid. Derive a class with a fixture ``build``."""

    protocol = GridDecoder

    def examples(self, net: Any, n: int, seed: int) -> Tensor:
        """Draw grids of vectors."""
        return torch.randn(n, net.latent_dim, *net.grid, generator=torch.Generator().manual_seed(seed))

    def check_output(self, net: Any, output: Any) -> None:
        """Check that there is a location for each coordinate of each example."""
        assert output.shape == (BATCH, *net.shape)


class PredictorContract(NetworkContract):
    """Contract of a network that predicts codes. Derive a class with a fixture ``build``."""

    protocol = Predictor

    def examples(self, net: Any, n: int, seed: int) -> Tensor:
        """Draw grids of codes."""
        shape = (n, net.depth, *GRID)
        return torch.randint(net.codes, shape, generator=torch.Generator().manual_seed(seed))

    def check_output(self, net: Any, output: Any) -> None:
        """Check that there is a logit for each value of each code."""
        assert output.shape == (BATCH, net.depth, *GRID, net.codes)

    def test_no_code_looks_ahead(self, build: Build) -> None:
        """A code changes the logits of later codes, not its own and not those of earlier ones."""
        net = self.made(build, seed=0).eval()
        codes = self.examples(net, 1, seed=1)
        order = [(level, *place) for place in product(*map(range, GRID)) for level in range(net.depth)]
        with torch.no_grad():
            before = net(codes)
            for at, (level, row, column) in enumerate(order):
                changed = codes.clone()
                changed[0, level, row, column] = (codes[0, level, row, column] + 1) % net.codes
                moved = [not torch.equal(net(changed)[(0, *other)], before[(0, *other)]) for other in order]
                assert not any(moved[: at + 1]) and (at + 1 == len(order) or any(moved[at + 1 :]))

    def test_a_grid_may_lack_its_last_rows(self, build: Build) -> None:
        """The logits of the first rows are those of the whole grid."""
        net = self.made(build, seed=0).eval()
        codes = self.examples(net, 2, seed=1)
        with torch.no_grad():
            for rows in range(1, GRID[0]):
                torch.testing.assert_close(net(codes[:, :, :rows]), net(codes)[:, :, :rows], rtol=1e-4, atol=1e-5)

    def test_a_row_has_the_logits_that_it_has_in_the_grid(self, build: Build) -> None:
        """A predictor that can be asked row by row gives the logits of the whole grid."""
        net = self.made(build, seed=0).eval()
        codes = self.examples(net, 2, seed=1)
        with torch.no_grad():
            whole = net(codes)
            if not isinstance(net, DrawsRows):
                return
            for at in range(GRID[0]):
                row = net.row(codes[:, :, :at])(codes[:, :, at : at + 1])
                torch.testing.assert_close(row, whole[:, :, at : at + 1], rtol=1e-4, atol=1e-5)
