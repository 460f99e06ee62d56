"""The bounds of M2 against the formulas written out class by class, and their gradients against autograd's."""

import math

import pytest
import torch

from ganvas.objectives import SemiSupervised
from ganvas.objectives.semi_supervised import ClassDraws

K, N, C = 2, 5, 3
Y, KNOWN = torch.tensor([0, 2, 1, 1, 0]), torch.tensor([True, False, True, False, False])


@pytest.fixture
def draws():
    torch.manual_seed(0)
    log_px, kl = torch.randn(K, N, C).double().requires_grad_(), torch.rand(N, C).double().requires_grad_()
    logits = torch.randn(N, C).double().requires_grad_()
    log_py = torch.tensor([0.5, 0.25, 0.25]).double().log()
    return ClassDraws(log_px, kl, log_py, logits.log_softmax(1)), (log_px, kl, logits)


def by_hand(draws, weight, share):
    """Equations 6 to 9, one image and one class after the other."""
    with_class = [
        [draws.log_px_yz[:, i, c].mean() + draws.log_py[c] - draws.kl[i, c] for c in range(C)] for i in range(N)
    ]
    q = draws.log_qy_x.exp()
    total = 0.0
    for i in range(N):
        if KNOWN[i]:
            total = total - with_class[i][Y[i]] - weight / share * draws.log_qy_x[i, Y[i]]
        else:
            entropy = -sum(q[i, c] * draws.log_qy_x[i, c] for c in range(C))
            total = total - sum(q[i, c] * with_class[i][c] for c in range(C)) - entropy
    return total / N


def test_the_loss_and_its_gradient_are_those_of_the_equations(draws):
    draws, leaves = draws
    terms = SemiSupervised(K, 0.3)(draws, Y, KNOWN, 0.25)
    expected = by_hand(draws, 0.3, 0.25)
    torch.testing.assert_close(terms.total, expected)
    found, wanted = (torch.autograd.grad(value, leaves, retain_graph=True) for value in (terms.total, expected))
    torch.testing.assert_close(found, wanted)


def test_the_logged_bound_reads_no_class_and_adds_up(draws):
    draws, _ = draws
    terms = SemiSupervised(K, 0.3)(draws, Y, KNOWN, 0.25)
    others = SemiSupervised(K, 0.3)(draws, (Y + 1) % C, ~KNOWN, 0.5)
    assert terms.elbo == others.elbo == terms.bound and terms.total != others.total
    torch.testing.assert_close(terms.elbo, terms.reconstruction - terms.kl)
    torch.testing.assert_close(terms.elbo, draws.without_class.mean())


def test_classes_that_are_not_shown_are_not_read(draws):
    draws, _ = draws
    other = Y.where(KNOWN, 2 - Y)
    assert (
        SemiSupervised(K, 0.3)(draws, Y, KNOWN, 0.25).total == SemiSupervised(K, 0.3)(draws, other, KNOWN, 0.25).total
    )


def test_the_bound_is_the_log_of_the_sum_at_the_exact_classifier(draws):
    """With q(y | x) proportional to exp(-L(x, y)), equation 7 is the log-sum-exp of equation 6."""
    draws, _ = draws
    exact = ClassDraws(draws.log_px_yz, draws.kl, draws.log_py, draws.by_class.log_softmax(1))
    torch.testing.assert_close(exact.without_class, draws.by_class.logsumexp(1))
    assert (draws.without_class < exact.without_class).all()


@pytest.mark.parametrize(("arguments", "words"), [((0, 0.1), "samples: got 0"), ((1, -0.1), "weight: got -0.1")])
def test_numbers_out_of_range_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        SemiSupervised(*arguments)


def test_without_labelled_images_in_a_batch_the_classification_is_0(draws):
    terms = SemiSupervised(K, 0.3)(draws[0], Y, torch.zeros(N, dtype=torch.bool), 0.25)
    assert float(terms.named()["classification"]) == 0 and math.isclose(float(terms.total), -float(terms.elbo))
