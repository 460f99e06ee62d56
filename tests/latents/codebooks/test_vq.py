"""Vector quantisation against its formulas written by hand, and residual quantisation against the sums of levels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from ganvas.latents import VQ, VQEMA, ResidualVQ
from ganvas.latents.codebooks.quantiser import straight_through

NEVER = {"codes": 6, "dim": 2, "commitment": 0.25, "decay": 0.9, "restart": 0.0}


@pytest.fixture
def z():
    return torch.randn(4, 2, 3, 5, generator=torch.Generator().manual_seed(0))


def rows(grid):
    return grid.permute(0, 2, 3, 1).reshape(-1, grid.shape[1])


@pytest.mark.parametrize("kind", [VQ, VQEMA])
def test_each_place_gets_its_nearest_vector(kind, z):
    quantiser = kind(**NEVER)
    with torch.no_grad():
        quantiser.vectors.copy_(torch.randn(6, 2))
    found = NearestNeighbors(n_neighbors=1).fit(quantiser.vectors.detach().numpy()).kneighbors(rows(z).numpy())[1]
    assert quantiser(z).codes.flatten().tolist() == found.flatten().tolist()


def test_straight_through_is_exact_forward_and_the_identity_backward(z):
    values = torch.randn_like(z).requires_grad_()
    z.requires_grad_()
    made = straight_through(z, values)
    assert torch.equal(made, values)
    made.backward(gradient := torch.randn_like(z))
    assert torch.equal(z.grad, gradient) and values.grad is None


def test_the_losses_are_those_of_equation_3(z):
    quantiser = VQ(**NEVER)
    z.requires_grad_()
    terms = quantiser(z).terms
    chosen = quantiser.vectors[quantiser(z).codes.flatten()]
    both = (rows(z) - chosen).square().sum(1).view(4, 15).sum(1)
    torch.testing.assert_close(terms["codebook"], both)
    torch.testing.assert_close(terms["commitment"], 0.25 * both)
    # Each loss moves one side: the codebook's the vectors, the commitment the encoder.
    assert (
        terms["codebook"].requires_grad
        and not torch.autograd.grad(terms["codebook"].sum(), z, allow_unused=True, retain_graph=True)[0]
    )
    (pull,) = torch.autograd.grad(terms["codebook"].sum(), quantiser.vectors)
    expected = torch.zeros(6, 2).index_add_(0, quantiser(z).codes.flatten(), 2 * (chosen - rows(z)).detach())
    torch.testing.assert_close(pull, expected)
    (push,) = torch.autograd.grad(terms["commitment"].sum(), z)
    torch.testing.assert_close(rows(push), 0.5 * (rows(z) - chosen).detach())
    assert set(VQEMA(**NEVER)(z).terms) == {"commitment"}


def test_moving_averages_are_those_of_the_appendix():
    """Equations 6 to 8 of van den Oord et al. 2017 in numpy, over ten batches."""
    quantiser = VQEMA(**NEVER)
    vectors = quantiser.vectors.double().numpy().copy()
    count, total = np.zeros(6), np.zeros((6, 2))
    for seed in range(10):
        z = torch.randn(4, 2, 3, 5, generator=torch.Generator().manual_seed(seed))
        flat = rows(z).double().numpy()
        nearest = ((flat[:, None] - vectors) ** 2).sum(-1).argmin(1)
        codes = quantiser(z).codes
        assert codes.flatten().tolist() == nearest.tolist()
        quantiser.learn(z, codes)
        for k in range(6):
            members = flat[nearest == k]
            count[k] = 0.9 * count[k] + 0.1 * len(members)
            total[k] = 0.9 * total[k] + 0.1 * members.sum(0)
            if count[k] > 0:
                vectors[k] = total[k] / count[k]
        np.testing.assert_allclose(quantiser.vectors.numpy(), vectors, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(quantiser.usage.numpy(), count, rtol=1e-4, atol=1e-6)
    assert (count > 0).sum() > 3


def test_a_code_that_is_never_used_stays_where_it_is_even_when_its_count_has_vanished():
    quantiser = VQEMA(**{**NEVER, "decay": 0.0})
    near = torch.zeros(1, 2, 1, 1)
    start = quantiser.vectors.clone()
    code = int(quantiser(near).codes)
    for _ in range(3):
        quantiser.learn(near + 0.001, quantiser(near).codes)
    kept = torch.arange(6) != code
    assert torch.equal(quantiser.vectors[kept], start[kept]) and quantiser.vectors.isfinite().all()


@pytest.mark.parametrize("kind", [VQ, VQEMA])
def test_hardly_used_codes_begin_anew_at_vectors_of_the_batch(kind, z):
    quantiser = kind(**{**NEVER, "restart": 0.1})
    with torch.no_grad():
        quantiser.vectors[:] = 100.0 + torch.arange(6.0)[:, None]
        quantiser.vectors[0] = 0.0
    assert set(quantiser(z).codes.flatten().tolist()) == {0}
    quantiser.learn(z, quantiser(z).codes)
    distance = torch.cdist(quantiser.vectors.detach(), rows(z)).amin(1)
    assert (distance[1:] == 0).all()
    # They count as used like the average code, so that they are not thrown away at once.
    before = quantiser.vectors.detach().clone()
    torch.testing.assert_close(quantiser.usage[1:], torch.full((5,), 60 * 0.1 / 6))
    assert len(quantiser(z).codes.unique()) > 1
    if kind is VQEMA:
        torch.testing.assert_close(quantiser.sums, quantiser.vectors * quantiser.usage[:, None])
    quantiser.learn(z, torch.zeros(4, 1, 3, 5, dtype=torch.int64))
    torch.testing.assert_close(quantiser.vectors[1:], before[1:])
    never = kind(**NEVER)
    with torch.no_grad():
        never.vectors.copy_(before + 50)
    never.learn(z, torch.zeros(4, 1, 3, 5, dtype=torch.int64))
    torch.testing.assert_close(never.vectors[1:], before[1:] + 50)


def test_the_draws_of_restarts_are_a_function_of_the_number_of_updates(z):
    twins = [VQ(**{**NEVER, "restart": 0.5}) for _ in range(2)]
    for seed, twin in enumerate(twins):
        torch.manual_seed(seed)
        with torch.no_grad():
            twin.vectors.copy_(100.0 + torch.arange(12.0).view(6, 2))
        twin.learn(z, torch.zeros(4, 1, 3, 5, dtype=torch.int64))
    assert torch.equal(twins[0].vectors, twins[1].vectors) and int(twins[0].updates) == 1


def test_codes_begin_anew_where_they_are_needed():
    """The vectors of a plain background are served well already: none of the 5 idle codes goes there, all go apart."""
    quantiser = VQ(**{**NEVER, "restart": 0.5})
    z = torch.zeros(1, 2, 1, 100)
    z[0, 0, 0, :8] = torch.arange(1.0, 9.0)
    with torch.no_grad():
        quantiser.vectors[:] = 1000.0
        quantiser.vectors[0] = 0.0
    quantiser.learn(z, quantiser(z).codes)
    moved = quantiser.vectors[1:, 0].tolist()
    assert len(set(moved)) == 5 and set(moved) <= set(range(1, 9))


def test_idle_codes_may_be_more_than_the_vectors_of_a_batch():
    quantiser = VQEMA(**{**NEVER, "restart": 0.5})
    z = torch.randn(1, 2, 1, 2)
    quantiser.learn(z, torch.zeros(1, 1, 1, 2, dtype=torch.int64))
    assert torch.cdist(quantiser.vectors[1:], rows(z)).amin(1).tolist() == [0.0] * 5


def test_draws_are_as_frequent_as_distances_are_large():
    quantiser = VQ(**NEVER)
    found = torch.zeros(4)
    for update in range(3000):
        quantiser.updates.fill_(update)
        found[quantiser._badly_served(torch.tensor([1.0, 0.0, 2.0, 5.0]), 1)] += 1
    assert found[1] == 0 and (found / 3000).tolist() == pytest.approx([1 / 8, 0, 2 / 8, 5 / 8], abs=0.05)


@pytest.mark.parametrize(
    "change", [{"codes": 1}, {"dim": 0}, {"commitment": -0.1}, {"decay": 1.0}, {"restart": 1.0}, {"restart": -0.1}]
)
@pytest.mark.parametrize("kind", [VQ, VQEMA])
def test_numbers_out_of_range_are_refused(kind, change):
    ((name, value),) = change.items()
    with pytest.raises(ValueError, match=rf"{name}={value}.*Fix: write .*quantiser.{name}="):
        kind(**{**NEVER, **change})


def test_each_level_of_a_residual_quantiser_makes_the_error_smaller():
    torch.manual_seed(0)
    quantiser = ResidualVQ(**{**NEVER, "restart": 0.1}, depth=4)
    z = torch.randn(50, 2, 3, 5)
    for _ in range(40):
        quantiser.learn(z, quantiser(z).codes)
    codes = quantiser(z).codes
    errors = [(z - quantiser.embed(codes[:, :levels])).square().mean().item() for levels in range(1, 5)]
    assert all(after < 0.7 * before for before, after in zip([1.0, *errors], errors, strict=False))


def test_a_residual_quantiser_is_a_chain_of_codebooks(z):
    quantiser = ResidualVQ(**NEVER, depth=3)
    with torch.no_grad():
        for level in quantiser.levels:
            level.vectors.copy_(torch.randn(6, 2))
    said = quantiser(z.requires_grad_())
    left, loss = rows(z).detach(), torch.zeros(4)
    for level, codes in zip(quantiser.levels, said.codes.unbind(1), strict=True):
        assert torch.cdist(left, level.vectors).argmin(1).tolist() == codes.flatten().tolist()
        left = left - level.vectors[codes.flatten()]
        loss = loss + 0.25 * left.square().sum(1).view(4, 15).sum(1)
    torch.testing.assert_close(rows(said.z).detach(), rows(z).detach() - left)
    torch.testing.assert_close(said.terms["commitment"], loss)
    # The gradient is that of the sum over levels of |z - sg[sum of vectors]|^2.
    (gradient,) = torch.autograd.grad(said.terms["commitment"].sum(), z)
    sums = [quantiser.embed(said.codes[:, : i + 1]) for i in range(3)]
    torch.testing.assert_close(gradient, 0.5 * sum(z - s for s in sums).detach())


def test_the_codebooks_of_a_residual_quantiser_learn_from_what_is_left(z):
    quantiser = ResidualVQ(**NEVER, depth=2)
    with torch.no_grad():
        for level in quantiser.levels:
            level.vectors.copy_(torch.randn(6, 2))
    codes = quantiser(z).codes
    left = rows(z) - quantiser.levels[0].vectors[codes[:, 0].flatten()]
    quantiser.learn(z, codes)
    second = codes[:, 1].flatten()
    for k in second.unique():
        torch.testing.assert_close(quantiser.levels[1].vectors[k], left[second == k].mean(0))


def test_no_codebook_is_refused():
    with pytest.raises(ValueError, match="depth=0, expected at least 1 codebook. Fix: write quantiser.depth=4"):
        ResidualVQ(**NEVER, depth=0)
