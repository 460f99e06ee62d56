"""Contract of augmentations."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from ganvas.augment import Augmentation, ImageAugmentation
from ganvas.testing.values import assert_value

SHAPES = [(1, 8, 8), (3, 9, 7), (4, 5, 12)]
"""Grey and colour images, and images of four channels; odd sides and sides of different lengths."""


class AugmentationContract:
    """Contract of an augmentation. Derive a class with a fixture ``augmentation``, at a ``p`` that changes examples."""

    @pytest.fixture
    def augmentation(self) -> Augmentation:
        """Return the augmentation under test."""
        raise NotImplementedError("override the fixture `augmentation`")

    @pytest.fixture(autouse=True)
    def _seed(self) -> None:
        torch.manual_seed(0)

    def test_is_a_frozen_value(self, augmentation: Augmentation) -> None:
        """The part is a frozen dataclass and equals its copy."""
        assert_value(augmentation)

    @pytest.mark.parametrize("shape", SHAPES)
    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
    @pytest.mark.parametrize("autocast", [False, True])
    def test_keeps_shape_and_type(
        self, augmentation: Augmentation, shape: tuple[int, ...], dtype: torch.dtype, autocast: bool
    ) -> None:
        """The result has shape and type of the examples, which stay as they are; gradients are finite."""
        x = examples(7, shape).to(dtype).requires_grad_()
        before = x.detach().clone()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
            result = augmentation(x, augmentation.p)
        assert result.shape == x.shape and result.dtype == dtype and result.isfinite().all()
        (gradient,) = torch.autograd.grad(result.float().square().sum(), x)
        assert gradient.isfinite().all() and gradient.abs().sum() > 0
        assert torch.equal(x.detach(), before)

    @pytest.mark.parametrize("shape", SHAPES)
    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
    def test_changes_nothing_at_p_0(
        self, augmentation: Augmentation, shape: tuple[int, ...], dtype: torch.dtype
    ) -> None:
        """The result equals the examples bit for bit if ``p`` is 0."""
        x = examples(7, shape).to(dtype)
        assert torch.equal(augmentation(x, 0.0), x)
        assert torch.equal(augmentation(x, torch.zeros(())), x)

    @pytest.mark.parametrize("shape", SHAPES)
    @pytest.mark.parametrize("autocast", [False, True])
    def test_computes_in_single_precision(
        self, augmentation: Augmentation, shape: tuple[int, ...], autocast: bool
    ) -> None:
        """Examples in half precision come out as those in single precision, rounded, under autocast too."""
        x = examples(7, shape).bfloat16()
        torch.manual_seed(3)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
            result = augmentation(x, 0.7)
        torch.manual_seed(3)
        assert torch.equal(result, augmentation(x.float(), 0.7).bfloat16())

    def test_changes_something_at_its_own_p(self, augmentation: Augmentation) -> None:
        """Some examples are changed at the field ``p``, unless it is 0."""
        x = examples(50, (3, 8, 8))
        assert torch.equal(augmentation(x, augmentation.p), x) == (augmentation.p == 0)

    def test_random_numbers_are_the_global_ones(self, augmentation: Augmentation) -> None:
        """The same random state gives the same result, whether ``p`` is a number or a tensor."""
        x, p = examples(20, (3, 8, 8)), 0.6
        results = []
        for given in (p, p, torch.tensor(p)):
            torch.manual_seed(3)
            results.append(augmentation(x, given))
        assert torch.equal(results[0], results[1]) and torch.equal(results[0], results[2])
        if augmentation.p > 0:
            assert not torch.equal(augmentation(x, p), results[0])

    def test_an_example_does_not_depend_on_its_neighbours(self, augmentation: Augmentation) -> None:
        """An example comes out the same, whatever stands beside it in the batch."""
        x, other = examples(6, (3, 8, 8)), examples(6, (3, 8, 8))
        other[2] = x[2]
        state = torch.get_rng_state()
        first = augmentation(x, 0.7)
        torch.set_rng_state(state)
        torch.testing.assert_close(augmentation(other, 0.7)[2], first[2], rtol=0, atol=1e-6)

    @pytest.mark.parametrize("shape", [(1, 4, 5), (3, 5, 4)])
    def test_is_twice_differentiable(self, augmentation: Augmentation, shape: tuple[int, ...]) -> None:
        """Gradients and their gradients agree with finite differences, as gradient penalties need them."""

        def again(x: Tensor) -> Tensor:
            torch.manual_seed(5)
            return augmentation(x, 0.7).pow(3)

        x = examples(3, shape).double().requires_grad_()
        assert torch.autograd.gradcheck(again, x, fast_mode=True)
        assert torch.autograd.gradgradcheck(again, x, fast_mode=True)

    def test_points_are_transformed_or_refused(self, augmentation: Augmentation) -> None:
        """An augmentation of images refuses points, with its name; any other one transforms them."""
        points = torch.randn(5, 2)
        if isinstance(augmentation, ImageAugmentation):
            for refused in (lambda: augmentation.check((2,)), lambda: augmentation(points, augmentation.p)):
                with pytest.raises(ValueError, match=type(augmentation).__name__):
                    refused()
        else:
            augmentation.check((2,))
            assert augmentation(points, augmentation.p).shape == points.shape

    def test_strength_goes_on_from_its_state(self, augmentation: Augmentation) -> None:
        """What moves ``p`` starts at the field ``p`` and is resumed bit for bit from its state dict."""
        strength = augmentation.strength()
        if strength is None:
            return
        assert strength.p == augmentation.p and not list(strength.parameters())
        scores = torch.randn(11, 16)
        for row in scores[:6]:
            strength.observe(row, 1000)
        resumed = augmentation.strength()
        assert resumed is not None
        resumed.load_state_dict(copy.deepcopy(strength.state_dict()))
        for row in scores[6:]:
            strength.observe(row, 1000)
            resumed.observe(row, 1000)
            assert torch.equal(strength.p, resumed.p)
        assert 0 <= strength.p <= 1


def examples(n: int, shape: tuple[int, ...]) -> Tensor:
    """Draw images in [-1, 1]."""
    return torch.rand(n, *shape) * 2 - 1
