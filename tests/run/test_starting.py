"""Parts load whole and exactly, or not at all."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from ganvas.networks import mlp
from ganvas.networks.init import glorot_uniform_
from ganvas.objectives import LeCam, PathLength
from ganvas.run.starting import load_parts

INIT = partial(glorot_uniform_, gain=1.0)


class Model(nn.Module):
    def __init__(self, hidden=5, batch_norm=True):
        super().__init__()
        self.generator = mlp.Generator((2,), 3, [hidden], "ReLU", batch_norm, INIT)
        self.critic = mlp.Critic((2,), [hidden], "ReLU", INIT)

    @property
    def parts(self):
        return {"generator": self.generator, "critic": self.critic}


def same(a, b):
    """Whether all weights of ``a`` are those of ``b``, which may have more."""
    return all(torch.equal(v, b.state_dict()[k]) for k, v in a.state_dict().items())


@pytest.fixture
def old():
    torch.manual_seed(0)
    model = Model()
    model.generator(torch.randn(9, 3))  # running statistics are part of the weights
    return model


def test_whole(old):
    new = Model()
    assert load_parts(new.parts, {**old.state_dict(), "other.x": torch.zeros(1)}, None) == ("generator", "critic")
    assert same(new, old)


def test_part(old):
    new, before = Model(), Model()
    before.load_state_dict(new.state_dict())
    assert load_parts(new.parts, old.state_dict(), ["critic"]) == ("critic",)
    assert same(new.critic, old.critic) and same(new.generator, before.generator)


def test_what_a_penalty_keeps_in_a_network_begins_anew(old):
    """From a run with LeCam and path length to one without, and back."""
    lecam, length = LeCam(0.3, every=1, decay=0.9), PathLength(2.0, every=4, decay=0.01)
    new, back = Model(), Model()
    lecam.prepare(old.critic), length.prepare(old.generator)
    for buffer in (old.critic.lecam_real, old.generator.path_length_mean):
        buffer.fill_(3.0)
    load_parts(new.parts, old.state_dict(), None)
    assert same(new, old)
    lecam.prepare(back.critic), length.prepare(back.generator)
    load_parts(back.parts, new.state_dict(), None)
    assert same(new, back) and back.critic.lecam_real == 0 and back.generator.path_length_mean == 0


def test_shape_differs_and_nothing_is_loaded(old):
    new = Model()
    new.critic = mlp.Critic((2,), [7], "ReLU", INIT)
    before = {key: value.clone() for key, value in new.state_dict().items()}
    with pytest.raises(ValueError, match=r"part 'critic', key 'body.0.weight'.*\(5, 2\).*\(7, 2\).*Fix: .*prior.dim"):
        load_parts(new.parts, old.state_dict(), None)
    assert all(torch.equal(value, before[key]) for key, value in new.state_dict().items())


def test_keys_differ(old):
    with pytest.raises(ValueError, match="part 'generator' differs.*lacks 'body.0.bias' and has 'body.1.* in surplus"):
        load_parts(Model(batch_norm=False).parts, old.state_dict(), None)


def test_spectral_norm_on_one_side(old):
    new = Model()
    for layer in list(new.critic.modules()):
        if isinstance(layer, nn.Linear):
            spectral_norm(layer)
    for model, state in ((new, old.state_dict()), (old, new.state_dict())):
        with pytest.raises(ValueError, match="part 'critic'.*spectral normalisation.*both, or leave the part 'critic'"):
            load_parts(model.parts, state, None)
    twin = Model()
    for layer in list(twin.critic.modules()):
        if isinstance(layer, nn.Linear):
            spectral_norm(layer)
    load_parts(twin.parts, new.state_dict(), None)
    assert same(twin, new)


def test_missing_parts(old):
    with pytest.raises(ValueError, match="part 'encoder' is missing.*Fix: choose from .'critic', 'generator'."):
        load_parts(old.parts, old.state_dict(), ["encoder"])
    with pytest.raises(ValueError, match="none in common. Fix: start from a run of the same family"):
        load_parts({"encoder": nn.Linear(1, 1)}, old.state_dict(), None)
