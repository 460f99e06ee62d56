"""What every objective promises, whichever it is: found through the configs and the package's exported names.

A new class without a config, or a config that does not instantiate, fails here; one with a config is covered.
"""

import dataclasses
import inspect

import pytest
import torch
import torchvision
from omegaconf import OmegaConf

import ganvas.objectives as objectives
from ganvas.objectives import (
    ELBO,
    Adversarial,
    Autoencoding,
    Auxiliary,
    Bound,
    Constraint,
    Likelihood,
    PerceptualLoss,
    ReconstructionLoss,
    Regulariser,
)
from ganvas.testing import (
    AdversarialContract,
    AutoencodingContract,
    AuxiliaryContract,
    BoundContract,
    ConstraintContract,
    LikelihoodContract,
    ReconstructionLossContract,
    RegulariserContract,
)

from ..shipped import CONF, group, names, node, shipped

NAMES = names("objective", "constraint", "auxiliary", "likelihood", "regulariser")
# What a part asks of the rest of a training.
REST = {"classes": 4, "prior": OmegaConf.load(CONF / "prior/codes.yaml")}
CONFIGS = {name: shipped(name, REST) for name in NAMES}
EXPORTED = [getattr(objectives, name) for name in objectives.__all__]
INTERFACES = (Adversarial, Constraint, Auxiliary, Likelihood, ReconstructionLoss, Bound, Autoencoding, Regulariser)
CLASSES = [cls for cls in EXPORTED if inspect.isclass(cls) and issubclass(cls, INTERFACES)]
IMPLEMENTATIONS = [cls for cls in CLASSES if not inspect.isabstract(cls)]


def every(interface):
    """A parametrised fixture over all shipped values of an interface."""
    cases = {name: value for name, value in CONFIGS.items() if isinstance(value, interface)}
    return pytest.fixture(params=list(cases.values()), ids=list(cases))


# Discovery


def test_every_implementation_has_a_config():
    parts = {type(part) for value in CONFIGS.values() if isinstance(value, Constraint) for part in value.flat()}
    configured = {type(value) for value in CONFIGS.values()} | parts
    assert {cls.__name__ for cls in IMPLEMENTATIONS} == {cls.__name__ for cls in configured}


def test_every_config_is_of_one_interface_and_in_its_group():
    groups = {
        "objective": (Adversarial, Bound, Autoencoding),
        "constraint": Constraint,
        "auxiliary": Auxiliary,
        "likelihood": (Likelihood, ReconstructionLoss),
        "regulariser": Regulariser,
    }
    for name, value in CONFIGS.items():
        assert isinstance(value, groups[name.split("/")[0]]), name


@pytest.mark.parametrize("name", NAMES)
def test_config_states_every_field_and_says_what_it_is(name):
    fields = {field.name for field in dataclasses.fields(CONFIGS[name])}
    assert set(node(name)[group(name)]) == fields | {"_target_"}
    assert (CONF / f"{name}.yaml").read_text().startswith("# ")


def subclasses(cls):
    return [c for sub in cls.__subclasses__() for c in (sub, *subclasses(sub)) if c.__module__.startswith("ganvas")]


def test_classes_are_abstract_or_final_and_exported():
    found = {sub for interface in INTERFACES for sub in subclasses(interface)}
    assert found <= set(CLASSES)
    assert all(cls in IMPLEMENTATIONS or subclasses(cls) for cls in found)
    assert not any(subclasses(cls) for cls in IMPLEMENTATIONS)


@pytest.mark.parametrize("name", CONFIGS)
def test_values_are_without_defaults(name):
    fields = dataclasses.fields(CONFIGS[name])
    assert all(f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING for f in fields)


def test_which_constraints_bound_the_lipschitz_constant():
    names = {name.split("/")[1] for name, value in CONFIGS.items() if getattr(value, "lipschitz", False)}
    assert names == {"gradient_penalty", "one_sided_gradient_penalty", "weight_clipping", "spectral_norm"} | {
        "spectral_norm_r1",
        "max_gradient_penalty",
    }


# The suites


@pytest.fixture(scope="module")
def squeezenet(tmp_path_factory):
    """Path of random weights of a network that LPIPS reads."""
    path = tmp_path_factory.mktemp("weights") / "squeezenet.pth"
    with torch.random.fork_rng():
        torch.save(torchvision.models.squeezenet1_1(weights=None).state_dict(), path)
    return str(path)


class TestAdversarial(AdversarialContract):
    @every(Adversarial)
    def objective(self, request):
        return request.param


class TestConstraint(ConstraintContract):
    @every(Constraint)
    def constraint(self, request):
        return request.param


class TestAuxiliary(AuxiliaryContract):
    @every(Auxiliary)
    def auxiliary(self, request):
        return request.param


class TestRegulariser(RegulariserContract):
    @every(Regulariser)
    def regulariser(self, request):
        return request.param


class TestLikelihood(LikelihoodContract):
    @every(Likelihood)
    def likelihood(self, request):
        return request.param


class TestReconstructionLoss(ReconstructionLossContract):
    @every(ReconstructionLoss)
    def loss(self, request, squeezenet):
        """The shipped value; the weights of a network, which would be downloaded, are random here."""
        if isinstance(request.param, PerceptualLoss):
            return dataclasses.replace(request.param, net="squeeze", weights=squeezenet)
        return request.param


class TestBound(BoundContract):
    @every(Bound)
    def bound(self, request):
        return request.param


class TestAutoencoding(AutoencodingContract):
    @every(Autoencoding)
    def bound(self, request):
        return request.param


class TestFreeBits(BoundContract):
    @pytest.fixture
    def bound(self):
        return ELBO(samples=2, beta=1.0, free_bits=0.5)
