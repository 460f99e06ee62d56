"""Every kind of evidence has its check, and the check is the one that its name says."""

import math

import pytest
import torch

from ganvas.health import evidence
from ganvas.health.findings import by_name, finding_on, health_metrics, health_tags
from ganvas.latents import Normal

ONES = torch.ones(20, dtype=torch.float64)
SPIKE = torch.cat([ONES, torch.tensor([1000.0], dtype=torch.float64)])
NOISE = torch.randn(500, generator=torch.Generator().manual_seed(0))
CASES = {
    "finite": (evidence.Logged({"a": SPIKE * math.nan}), evidence.Logged({"a": ONES})),
    "critic_gradient_norms": (evidence.GradientNorms("critic", SPIKE), evidence.GradientNorms("critic", ONES)),
    "discriminator_saturation": (
        evidence.DiscriminatorLoss(0.001 * ONES, 9 * ONES, -9 * ONES, 2.0),
        evidence.DiscriminatorLoss(ONES, ONES, -ONES, 2.0),
    ),
    "critic_gap": (
        evidence.CriticScores(NOISE + 5, NOISE, NOISE - 1),
        evidence.CriticScores(NOISE + 5, NOISE + 5, NOISE - 1),
    ),
    "critic_gradient": (
        evidence.InputGradients(3 * ONES.float(), 1.0, one_sided=False),
        evidence.InputGradients(2 * ONES.float(), 2.0, one_sided=False),
    ),
    "privacy": (evidence.PrivacyLoss(11.0, 1e-5, 1.0, 10, 0.1), evidence.PrivacyLoss(3.0, 1e-5, 1.0, 10, 0.1)),
    "active_units": (
        evidence.Posterior(torch.zeros(500, 4), torch.ones(500, 4), Normal(4)),
        evidence.Posterior(NOISE.repeat(4, 1).T, torch.full((500, 4), 0.1), Normal(4)),
    ),
    "used_codes": (
        evidence.UsedCodes(torch.tensor([[9, 9, 9, 9, 9, 9, 9, 9], [9, 0, 0, 0, 0, 0, 0, 0]])),
        evidence.UsedCodes(torch.tensor([[9, 9, 9, 9, 9, 9, 9, 9], [9, 1, 0, 0, 0, 0, 0, 0]])),
    ),
    "perplexity": (
        evidence.CodePerplexity(torch.tensor([[9, 9, 9], [20, 1, 1]])),
        evidence.CodePerplexity(torch.tensor([[9, 9, 9], [9, 3, 1]])),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_kind_of_evidence_is_judged(name):
    bad, good = (finding_on(shown) for shown in CASES[name])
    assert bad.name == good.name == name
    assert (bad.state, good.state) == ("warn", "ok")
    assert health_tags([bad]) == {f"ganvas.health.{name}": "warn"}
    assert health_metrics([good]) == {f"health/{name}": good.value}
    assert by_name([good]) == {name: {"value": good.value, "state": "ok", "reason": good.reason}}


def test_no_kind_of_evidence_is_without_a_check():
    assert {type(bad) for bad, _ in CASES.values()} == set(evidence.Evidence.__subclasses__())
    with pytest.raises(TypeError, match="no check for Evidence; register one"):
        finding_on(evidence.Evidence())
