"""The contract suites see a broken part: each promise below is broken by one class, and its test fails."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

from ganvas import testing
from ganvas.data import SPLITS, KnownFactor, Source, TensorExamples
from ganvas.latents import VQ, VQEMA, CodeFrequencies, Normal
from ganvas.latents.hierarchy import normal, placed, standard_normal
from ganvas.metrics.base import FEATURES, LABELS, Measured, Metric, Score, Setting, feature_metric
from ganvas.metrics.registry import metrics, settings_of
from ganvas.objectives import (
    ELBO,
    Autoencoding,
    Bernoulli,
    CriticTerms,
    Divergence,
    GeneratorTerms,
    Hinge,
    Penalty,
)
from ganvas.objectives.autoencoding.base import AutoencodingTerms
from ganvas.testing.values import assert_value
from ganvas.types import Group, Inferred


@dataclass(frozen=True)
class Upside(Divergence):
    """Scores real examples below generated ones."""

    chance = 2.0

    def critic_terms(self, real, fake):
        return Hinge().critic_terms(fake, real)

    def generator_terms(self, fake, real=None):
        return Hinge().generator_terms(fake)


@dataclass(frozen=True)
class Summed(Divergence):
    """Sums over the batch; its chance is wrong too."""

    chance = 5.0

    def critic_terms(self, real, fake):
        total = softplus(-real.float()).sum() + softplus(fake.float()).sum()
        return CriticTerms(total, real.float().mean(), fake.float().mean())

    def generator_terms(self, fake, real=None):
        return GeneratorTerms(softplus(-fake.float()).sum(), fake.float().mean())


@dataclass
class Mutable:
    """Can be changed."""

    margin: float


@dataclass(frozen=True)
class ReachesTheGenerator(Penalty):
    """Keeps the graph of the generated examples."""

    lipschitz = False

    def term(self, critic, real, fake):
        return critic(fake).float().square().mean()


class Unbounded(nn.Module):
    """Images beyond [-1, 1], from a network that has a parameter without use."""

    def __init__(self):
        super().__init__()
        self.shape, self.latent_dim = (1, 4, 4), 3
        self.body = nn.Linear(3, 16)

    def forward(self, z):
        return 50 * self.body(z).unflatten(1, self.shape)


class Unused(Unbounded):
    """A parameter that gets no gradient."""

    def __init__(self):
        super().__init__()
        self.idle = nn.Parameter(torch.ones(1))

    def forward(self, z):
        return self.body(z).tanh().unflatten(1, self.shape)


class Mingles(nn.Module):
    """A score that depends on the batch, and is linear in the example."""

    def __init__(self):
        super().__init__()
        self.shape = (4,)
        self.body = nn.Linear(4, 1)

    def forward(self, x):
        return (self.body(x) - self.body(x).mean()).squeeze(1)


class Flat(nn.Module):
    """A gradient by the input that no weight moves twice."""

    shape = (4,)

    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return x.sum(1) * x.sum(1) + self.bias


class Leaks(Source):
    """All splits hold the same examples."""

    classes = ("a", "b")
    splits = SPLITS

    def _load(self, split):
        return TensorExamples(torch.arange(10, dtype=torch.float32)[:, None].repeat(1, 2), torch.full((10,), 2))


class Misnumbers(Source):
    """A factor of two values, one of which no example has."""

    factors, splits = (KnownFactor("size", 2, ordered=True),), SPLITS

    def _load(self, split):
        return TensorExamples(torch.rand(10, 2), factors=torch.zeros(10, 1, dtype=torch.int64))


class Forgets(Leaks):
    """Another content at each call."""

    def _load(self, split):
        return TensorExamples(torch.rand(10, 2))


class GlobalRandom(Normal):
    """Draws from the global random state, and states a wrong divergence."""

    def sample(self, n, *, device="cpu", generator=None):
        return torch.randn(n, self.dim)

    def kl(self, posterior):
        return super().kl(posterior) + 1.0


UPSIDE = dataclasses.replace(metrics()["kid"], lower_is_better={"kid": False})
UNSETTLED = feature_metric(
    "x", FEATURES, True, lambda pair: Score(torch.rand(()).item(), 1.0, ""), "random", (Setting("y", 1, "", least=1),)
)
BLIND = feature_metric("x", FEATURES, True, lambda pair: Score(1.0, None, ""), "constant")
UPSIDE_DOWN = dataclasses.replace(metrics()["label_accuracy"], lower_is_better={"label_accuracy": True})
CLASSLESS = Metric(
    "x", LABELS, {"x": True}, (), 1, lambda _: Measured({"x": Score(torch.rand(()).item(), None, "")}), "random"
)


MIXING = dataclasses.replace(metrics()["mig"], lower_is_better={"mig": True})
FAULTY = dataclasses.replace(metrics()["ssim"], lower_is_better={"ssim": True})


def constant(material):
    """Looks at neither codes nor values."""
    return Measured({"mig": Score(0.5, 0.1, "nothing")}, {"mig": 0.5}, {"mig": 0.5} if material.calibration else {})


CONSTANT = dataclasses.replace(metrics()["mig"], compute=constant)
RANDOM = dataclasses.replace(
    metrics()["ssim"], compute=lambda _: Measured({"ssim": Score(torch.rand(()).item(), 0.1, "chance")})
)


class Wrong(Bernoulli):
    """Highest at the opposite of the example, and dependent on the whole batch."""

    def log_prob(self, x, location, log_scale=None):
        return super().log_prob(-x, location, log_scale) + x.mean()


class Summing(ELBO):
    """A total over images, not a mean."""

    def __call__(self, draws):
        terms = super().__call__(draws)
        return dataclasses.replace(terms, total=terms.total * draws.log_px_z.shape[1])


class Hooked(ELBO):
    """Leaves a hook on the draws, so that a second call doubles what the first one does to the gradient."""

    def __call__(self, draws):
        if draws.z.requires_grad:
            draws.z.register_hook(lambda gradient: 2 * gradient)
        return super().__call__(draws)


class Graphic(ELBO):
    """Is another number without gradients."""

    def __call__(self, draws):
        terms = super().__call__(draws)
        return terms if draws.z.requires_grad else dataclasses.replace(terms, bound=terms.bound + 1)


@dataclass(frozen=True)
class Claiming(Autoencoding):
    """Passes its reconstruction for an ELBO, and halves it in the loss."""

    def __call__(self, draws):
        reconstruction = draws.log_px_z.mean()
        return AutoencodingTerms(-reconstruction / 2, reconstruction, {"elbo": reconstruction})


class Blocks(VQ):
    """Lets no gradient through."""

    def forward(self, z):
        said = super().forward(z)
        return dataclasses.replace(said, z=said.z.detach() + 0 * z)


class Restless(VQEMA):
    """Learns when it quantises."""

    def forward(self, z):
        said = super().forward(z)
        self.learn(z.detach(), said.codes)
        return said


class Loose(CodeFrequencies):
    """Probabilities that add up to more than 1."""

    def log_prob(self, z):
        return super().log_prob(z) + 0.1


class Ahead(nn.Module):
    """Logits from the sum of all codes of the grid."""

    codes, depth = 3, 1

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, codes):
        return codes.sum((1, 2, 3), keepdim=True)[..., None].expand(*codes.shape, 1) * self.scale


def book(kind):
    return kind(4, 3, commitment=0.25, decay=0.9, restart=0.1)


A, C, G, D = testing.AdversarialContract, testing.ConstraintContract, testing.GeneratorContract, testing.SourceContract


class Two(nn.Module):
    """A hierarchy of two groups of one latent, which keeps its promises."""

    shape, groups = (2,), (1, 1)

    def __init__(self):
        super().__init__()
        self.up, self.down, self.output = nn.Linear(2, 4), nn.Linear(1, 1), nn.Linear(1, 2)

    def below(self, top):
        return normal(self.down(top), torch.full_like(top, 0.5))

    def above(self, said):
        return standard_normal(said)

    def rows(self, x, k):
        return x.repeat(k, 1)

    def forward(self, noise):
        return self.output(placed(noise[:, 1:], self.below(noise[:, :1])))

    def infer(self, x, k, draw):
        a, b, c, d = self.rows(self.up(x), k).split(1, 1)
        top, low = normal(a, b.exp()), normal(c, d.exp())
        z2, z1 = draw(top), draw(low)
        groups = (Group(self.above(a), top, z2, True), Group(self.below(z2), low, z1, True))
        return Inferred(self.output(z1), groups)


class Idle(Two):
    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.ones(1))


class Detour(Two):
    def forward(self, noise):
        return super().forward(1.1 * noise)


class Adrift(Two):
    def above(self, said):
        return normal(said, torch.ones_like(said))


class Apart(Two):
    def below(self, top):
        return standard_normal(top)


class Crossed(Two):
    def rows(self, x, k):
        return x.repeat_interleave(k, 0)


class Loosely(Two):
    def __init__(self):
        super().__init__()
        self.factor = torch.rand(1)

    def rows(self, x, k):
        return self.factor * super().rows(x, k)


def test_a_hierarchy_that_keeps_its_promises_passes():
    suite = testing.HierarchyContract()
    for name in vars(testing.HierarchyContract):
        if name.startswith("test_"):
            getattr(suite, name)(Two)


BROKEN = {
    "changeable": lambda: assert_value(Mutable(1.0)),
    "separates": lambda: A().test_critic_separates_and_generator_follows(Upside()),
    "means": lambda: A().test_losses_are_means_over_the_batch(Summed()),
    "chance": lambda: A().test_chance_is_the_loss_of_the_best_constant_score(Summed()),
    "generator's gradient": lambda: C().test_a_critics_step(ReachesTheGenerator(1.0, every=1), (2,), 1, False),
    "range": lambda: G().test_images_stay_in_range_for_any_latent(Unbounded),
    "idle parameter": lambda: G().test_serves(Unused),
    "batch": lambda: testing.CriticContract().test_evaluation_treats_examples_one_by_one(Mingles),
    "second derivative": lambda: testing.CriticContract().test_is_twice_differentiable(Flat),
    "seed": lambda: testing.CriticContract().test_seed_decides_the_start_and_a_state_dict_restores_it(Flat),
    "leak": lambda: D().test_splits_differ_and_share_no_example(lambda: Leaks("leaks", (2,))),
    "class": lambda: D().test_labels_are_indices_of_its_classes(lambda: Leaks("leaks", (2,))),
    "factor": lambda: D().test_factors_are_numbers_of_their_values(lambda: Misnumbers("misnumbers", (2,))),
    "content": lambda: D().test_building_twice_gives_the_same_content(lambda: Forgets("forgets", (2,))),
    "random state": lambda: testing.PriorContract().test_draws_are_a_function_of_the_generator(GlobalRandom(3)),
    "divergence": lambda: testing.PriorContract().test_divergence_in_closed_form_is_that_of_the_densities(
        GlobalRandom(3)
    ),
    "direction": lambda: M().test_samples_like_the_reference_score_better_than_samples_unlike_it(UPSIDE, SETTINGS),
    "function": lambda: M().test_a_score_is_a_function_of_the_features(UNSETTLED, SETTINGS),
    "registration": lambda: M().test_registration(UNSETTLED),
    "not finite": lambda: M().test_features_that_are_not_finite_give_no_score(BLIND, SETTINGS),
    "direction of classes": lambda: K().test_samples_of_their_class_score_better_than_samples_of_any(
        UPSIDE_DOWN, SETTINGS
    ),
    "function of classes": lambda: K().test_scores_are_a_function_of_images_and_classes(CLASSLESS, SETTINGS),
    "protocol of classes": lambda: K().test_the_protocol_knows_the_classes_of_the_reference(CLASSLESS, SETTINGS),
    "refusal without classes": lambda: K().test_without_classes_there_is_no_score(CLASSLESS, SETTINGS),
    "mixtures": lambda: F().test_one_latent_for_a_factor_scores_better_than_mixtures(MIXING, SETTINGS),
    "blind to mixtures": lambda: F().test_one_latent_for_a_factor_scores_better_than_mixtures(CONSTANT, SETTINGS),
    "floor of factors": lambda: F().test_the_floor_is_reached_and_the_ceiling_is_noise(CONSTANT, SETTINGS),
    "calibration unasked": lambda: F().test_scores_are_a_function_of_the_model_and_its_data(CONSTANT, SETTINGS),
    "protocol of factors": lambda: F().test_the_protocol_knows_the_values_of_the_factors(CONSTANT, SETTINGS),
    "refusal of images": lambda: F().test_needs_a_model(CONSTANT, SETTINGS),
    "faults": lambda: Q().test_a_smaller_fault_scores_better(FAULTY, SETTINGS),
    "reconstructions by chance": lambda: Q().test_scores_are_a_function_of_the_model_and_its_data(RANDOM, SETTINGS),
    "needs": lambda: Q().test_registration(CONSTANT),
    "mode": lambda: testing.LikelihoodContract().test_is_highest_where_its_mean_is_the_example(Wrong()),
    "neighbours": lambda: testing.LikelihoodContract().test_an_example_does_not_depend_on_its_neighbours(Wrong()),
    "one call": lambda: testing.BoundContract().test_asked_twice_it_has_the_same_gradient(Hooked(1, 1.0, 0.0)),
    "no gradients": lambda: testing.BoundContract().test_it_is_evaluated_without_gradients(Graphic(1, 1.0, 0.0)),
    "no bound": lambda: testing.AutoencodingContract().test_terms(Claiming(samples=1)),
    "likelihood's weight": lambda: testing.AutoencodingContract().test_the_likelihood_has_weight_one(Claiming(1)),
    "straight through": lambda: testing.QuantiserContract().test_the_gradient_passes_straight_through(book(Blocks)),
    "restless codebook": lambda: testing.QuantiserContract().test_only_learning_changes_it(book(Restless)),
    "sum of grids": lambda: testing.CodeDistributionContract().test_probabilities_of_all_grids_add_up_to_one(
        Loose(3, 1, 2, 1, decay=0.9), (1, 2, 1, 3)
    ),
    "code ahead": lambda: testing.PredictorContract().test_no_code_looks_ahead(Ahead),
    "total": lambda: testing.BoundContract().test_terms(Summing(samples=1, beta=1.0, free_bits=0.0), 1),
}
H = testing.HierarchyContract
BROKEN |= {
    "unused parameter": lambda: H().test_serves(Idle),
    "another way": lambda: H().test_generation_goes_the_way_of_inference(Detour),
    "moving top": lambda: H().test_groups_are_drawn_from_the_top(Adrift),
    "groups apart": lambda: H().test_groups_are_drawn_from_the_top(Apart),
    "rows": lambda: H().test_draws_of_an_example_are_its_own(Crossed),
    "weights outside": lambda: H().test_seed_decides_the_start_and_a_state_dict_restores_it(Loosely),
}
F, Q = testing.FactorMetricContract, testing.ReconstructionMetricContract
M, K, SETTINGS = testing.MetricContract, testing.ClassMetricContract, settings_of({})


@pytest.mark.parametrize("promise", BROKEN)
def test_a_broken_promise_is_seen(promise):
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        BROKEN[promise]()
