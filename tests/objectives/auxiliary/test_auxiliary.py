"""Auxiliary terms against torch's distributions and by hand."""

import pytest
import torch
from torch.distributions import Categorical, Independent, Normal

from ganvas.latents import Codes
from ganvas.latents import Normal as NormalPrior
from ganvas.objectives import Classifier, FeatureMatching, MutualInformation, Scene
from ganvas.types import Judged


def said(recognised=None, features=None, n=6):
    return Judged(torch.zeros(n), features, recognised)


def test_the_classifiers_losses_are_log_probabilities_of_the_classes():
    torch.manual_seed(0)
    real, fake, y = torch.randn(6, 3), torch.randn(6, 3), torch.tensor([0, 1, 2, 2, 1, 0])
    scene = Scene(said(real), said(fake), y, torch.zeros(6, 2))
    costs = [-Categorical(logits=logits).log_prob(y).mean() for logits in (real, fake)]
    torch.testing.assert_close(Classifier(2.0, 3).critic_term(scene), 2 * sum(costs))
    torch.testing.assert_close(Classifier(2.0, 3).generator_term(scene), 2 * costs[1])


def test_the_codes_cost_what_their_distribution_says():
    torch.manual_seed(0)
    codes = Codes(dim=12, categorical=[3, 2], continuous=2)
    z, outputs = codes.sample(6), torch.randn(6, 7)
    first, second, means = outputs.split([3, 2, 2], dim=1)
    expected = -Categorical(logits=first).log_prob(z[:, 5:8].argmax(1)).mean()
    expected -= Categorical(logits=second).log_prob(z[:, 8:10].argmax(1)).mean()
    expected -= Independent(Normal(means, 1.0), 1).log_prob(z[:, 10:]).mean()
    scene = Scene(None, said(outputs), None, z)
    term = MutualInformation(0.5, codes)
    assert term.recognised == 7
    torch.testing.assert_close(term.critic_term(scene), 0.5 * expected)
    torch.testing.assert_close(term.generator_term(scene), 0.5 * expected)


def test_feature_matching_is_a_squared_distance_of_means_and_teaches_the_generator_only():
    real = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    fake = torch.tensor([[0.0, 0.0], [2.0, 0.0]], requires_grad=True)
    scene = Scene(said(features=real, n=2), said(features=fake, n=2), None, torch.zeros(2, 1))
    term = FeatureMatching(3.0).generator_term(scene)
    assert term.item() == pytest.approx(3 * ((1 - 2) ** 2 + (0 - 3) ** 2))
    assert FeatureMatching(3.0).critic_term(scene) is None
    real_slope, fake_slope = torch.autograd.grad(term, (real, fake), allow_unused=True)
    assert real_slope is None
    torch.testing.assert_close(fake_slope, 3.0 * torch.tensor([[-1.0, -3.0], [-1.0, -3.0]]))


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="^weight: got 0"):
        FeatureMatching(0.0)
    with pytest.raises(ValueError, match="^classes: got 1"):
        Classifier(1.0, 1)
    with pytest.raises(ValueError, match="codes: got the prior Normal, which has none; write prior=codes"):
        MutualInformation(1.0, NormalPrior(4))
    with pytest.raises(ValueError, match="^y: got None"):
        Classifier(1.0, 2).critic_term(Scene(said(torch.zeros(6, 2)), said(torch.zeros(6, 2)), None, torch.zeros(6, 2)))
