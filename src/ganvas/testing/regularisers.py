"""Contract of regularisers of a generator."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from ganvas.objectives import LazyRegulariser, Regulariser
from ganvas.testing.values import assert_value
from ganvas.types import Conditional

LATENTS = 4


class _Generator(nn.Module):
    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape, self.latent_dim = shape, LATENTS
        self.net = nn.Sequential(nn.Linear(LATENTS, 16), nn.Tanh(), nn.Linear(16, torch.Size(shape).numel()))

    def forward(self, z: Tensor) -> Tensor:
        return self.net(z).unflatten(1, self.shape)


class _ConditionalGenerator(_Generator):
    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        self.classes = 3
        self.table = nn.Embedding(3, LATENTS)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        assert y is not None and len(y) == len(z)
        return super().forward(z * self.table(y))


class _StyledGenerator(_Generator):
    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        self.mapping = nn.Linear(LATENTS, LATENTS)
        self.styles = 1

    def mean_style(self) -> Tensor:
        return torch.zeros(LATENTS)

    def style(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return self.mapping(z)

    def synthesise(self, w: Tensor) -> Tensor:
        return super().forward(w)

    def forward(self, z: Tensor) -> Tensor:
        return self.synthesise(self.style(z))


class RegulariserContract:
    """Contract of a regulariser of a generator. Derive a class with a fixture ``regulariser``."""

    @pytest.fixture
    def regulariser(self) -> Regulariser:
        """Return the regulariser under test."""
        raise NotImplementedError("override the fixture `regulariser`")

    @pytest.fixture(autouse=True)
    def _seed(self) -> None:
        torch.manual_seed(0)

    def test_is_a_frozen_value(self, regulariser: Regulariser) -> None:
        """The part is a frozen dataclass and equals its copy."""
        assert_value(regulariser)

    @pytest.mark.parametrize("shape", [(2,), (1, 8, 8), (3, 5, 7)])
    @pytest.mark.parametrize("make", [_Generator, _ConditionalGenerator, _StyledGenerator])
    @pytest.mark.parametrize("autocast", [False, True])
    def test_a_generators_step(
        self, regulariser: Regulariser, shape: tuple[int, ...], make: type[_Generator], autocast: bool
    ) -> None:
        """The term is a finite float32 scalar; gradients are finite, and parameters and latents stay as they are."""
        generator = make(shape)
        regulariser.prepare(generator)
        z, y = torch.randn(5, LATENTS), torch.tensor([0, 1, 2, 0, 1])
        before = [p.detach().clone() for p in generator.parameters()]
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
            term = regulariser.penalty(generator, z, y if isinstance(generator, Conditional) else None, 0)
        assert (term is None) == (not isinstance(regulariser, LazyRegulariser))
        if term is None:
            return
        assert term.shape == () and term.dtype == torch.float32 and term.isfinite() and term >= 0
        term.backward()
        gradients = [p.grad for p in generator.parameters() if p.grad is not None]
        assert gradients and all(gradient.isfinite().all() for gradient in gradients)
        assert all(torch.equal(p, b) for p, b in zip(generator.parameters(), before, strict=True))
        assert not z.requires_grad and z.grad is None

    def test_a_lazy_term_has_the_same_mean(self, regulariser: Regulariser) -> None:
        """The term is there at every ``every``-th update, ``every`` times as large."""
        if not isinstance(regulariser, LazyRegulariser):
            return
        generator, z, every = _Generator((1, 4, 4)), torch.randn(5, LATENTS), regulariser.every
        regulariser.prepare(generator)
        found = [regulariser.penalty(generator, z, None, update) is not None for update in range(2 * every)]
        assert found == [update % every == 0 for update in range(2 * every)]
        regulariser.prepare(generator)
        torch.manual_seed(1)
        lazy = regulariser.penalty(generator, z, None, 0)
        regulariser.prepare(generator)
        torch.manual_seed(1)
        torch.testing.assert_close(lazy, regulariser.weight * every * regulariser.term(generator, z, None))

    def test_state_is_in_the_generator(self, regulariser: Regulariser) -> None:
        """A generator that is made anew from the state dict goes on with the same terms, bit for bit."""
        generator, resumed = _Generator((1, 4, 4)), _Generator((1, 4, 4))
        regulariser.prepare(generator)
        regulariser.prepare(resumed)
        assert [p for p, _ in generator.named_parameters()] == [p for p, _ in _Generator((1, 4, 4)).named_parameters()]
        z = torch.randn(4, 6, LATENTS)
        for batch in z[:3]:
            regulariser.penalty(generator, batch, None, 0)
        resumed.load_state_dict(generator.state_dict())
        terms: list[Tensor | None] = []
        for network in (generator, resumed):
            torch.manual_seed(1)
            terms.append(regulariser.penalty(network, z[3], None, 0))
        assert terms[0] == terms[1]
