"""LeCam by hand over three updates, and its averages in the critic."""

import pytest
import torch
from torch import nn

from ganvas.objectives import LeCam


class Identity(nn.Module):
    def forward(self, x):
        return x.flatten(1).sum(1)


def column(*values):
    return torch.tensor(values).unsqueeze(1)


# Scores of real and of generated examples, of three updates.
UPDATES = [((1.0, 3.0), (-1.0, 1.0)), ((4.0, 0.0), (2.0, -2.0)), ((-1.0, -1.0), (3.0, 1.0))]


def relu(value):
    return max(value, 0.0)


def by_hand(decay):
    """Return each update's penalty at weight 1; the averages start with the first means."""
    real = fake = weight = 0.0
    found = []
    for on_real, on_fake in UPDATES:
        real, fake = decay * real + (1 - decay) * sum(on_real) / 2, decay * fake + (1 - decay) * sum(on_fake) / 2
        weight = decay * weight + (1 - decay)
        usual_real, usual_fake = real / weight, fake / weight
        found.append(
            sum(relu(score - usual_fake) ** 2 for score in on_real) / 2
            + sum(relu(usual_real - score) ** 2 for score in on_fake) / 2
        )
    return found


@pytest.mark.parametrize("decay", [0.5, 0.99])
def test_three_updates_by_hand(decay):
    critic, penalty = Identity(), LeCam(2.0, decay, every=1)
    penalty.prepare(critic)
    found = [penalty.penalty(critic, column(*real), column(*fake), i).item() for i, (real, fake) in enumerate(UPDATES)]
    assert found == pytest.approx([2 * value for value in by_hand(decay)], rel=1e-4)


def test_first_update_in_numbers():
    # The averages are 2 and 0: (1 + 9) / 2 for the real scores 1 and 3, (9 + 1) / 2 for the generated ones -1 and 1.
    assert by_hand(0.9)[0] == pytest.approx(10)


def test_averages_have_no_gradient():
    critic, penalty = Identity(), LeCam(1.0, 0.5, every=1)
    penalty.prepare(critic)
    weight = torch.ones((), requires_grad=True)
    scaled = nn.Module()
    scaled.forward = lambda x: weight * x.squeeze(1)
    penalty.prepare(scaled)
    penalty.penalty(scaled, column(1.0, 3.0), column(-1.0, 1.0)).backward()
    # d/dw of mean (w x - 0)^2 + mean (2 - w x)^2 at w = 1, with 2 and 0 held fixed: 10 + (2 * 3 * 1 - 2 * 1 * 1) / 2.
    assert weight.grad.item() == pytest.approx(10 + 2)


def test_state_is_in_buffers_of_the_critic_and_no_parameter():
    critic = Identity()
    LeCam(1.0, 0.5, every=1).prepare(critic)
    assert set(critic.state_dict()) == {"lecam_real", "lecam_fake", "lecam_count"} and not list(critic.parameters())


def test_a_lazy_one_moves_its_averages_with_its_penalty():
    critic, penalty = Identity(), LeCam(1.0, 0.5, every=2)
    penalty.prepare(critic)
    assert penalty.penalty(critic, column(1.0), column(0.0), 1) is None and critic.lecam_count == 0
    penalty.penalty(critic, column(1.0), column(0.0), 2)
    assert critic.lecam_count == 1


def test_a_decay_out_of_range_is_refused():
    with pytest.raises(ValueError, match="decay: got 1.0, expected"):
        LeCam(1.0, 1.0, every=1)
