"""Conditional networks that are no wrappers, and critics of today around which the wrappers are put."""

import pytest
import torch

from ganvas.networks import ProjectionCritic, biggan, r3gan, sagan, sngan_resnet, stylegan2
from ganvas.testing import ConditionalCriticContract, ConditionalGeneratorContract

INIT = torch.nn.init.orthogonal_
K, D = 3, 6
GREY = (1, 16, 16)
GENERATORS = {
    "biggan": lambda: biggan.ConditionalGenerator(GREY, D, K, 1, 3, True, INIT),
    "r3gan": lambda: r3gan.ConditionalGenerator(GREY, D, K, 4, 8, 1),
    "sagan": lambda: sagan.ConditionalGenerator(GREY, D, 1, True, K, INIT),
    "sngan_resnet": lambda: sngan_resnet.ConditionalGenerator(GREY, D, 4, K),
    "stylegan2": lambda: stylegan2.ConditionalGenerator(GREY, D, K, 4, 5, 2, False, 0.0),
}
CRITICS = {
    "biggan": lambda: ProjectionCritic(sagan.Critic(GREY, 1, INIT), K),
    "r3gan": lambda: r3gan.ConditionalCritic(GREY, K, 8, 1),
    "r3gan with a projection": lambda: ProjectionCritic(r3gan.Critic(GREY, 8, 1), K),
    "sngan_resnet": lambda: ProjectionCritic(sngan_resnet.Critic(GREY, 4), K),
    "stylegan2": lambda: stylegan2.ConditionalCritic(GREY, K, 4, 2, True, 4),
}


class TestConditionalGenerator(ConditionalGeneratorContract):
    @pytest.fixture(params=GENERATORS)
    def build(self, request):
        return GENERATORS[request.param]


class TestConditionalCritic(ConditionalCriticContract):
    @pytest.fixture(params=CRITICS)
    def build(self, request):
        return CRITICS[request.param]
