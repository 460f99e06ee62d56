"""Networks of models with codes: sizes by hand, and gradients from all earlier codes and from no later one."""

from functools import partial

import pytest
import torch

from ganvas.networks import gated_pixel_cnn, vq
from ganvas.networks.init import glorot_uniform_

INIT = partial(glorot_uniform_, gain=1.4)


def coders(shape, channels=(4, 6)):
    sizes = {"blocks": 1, "hidden": 3, "init": INIT}
    encoder = vq.Encoder(shape, 5, list(channels), **sizes)
    return encoder, vq.Decoder(shape, 5, list(reversed(channels)), likelihood=None, **sizes)


@pytest.mark.parametrize(("shape", "grid"), [((1, 8, 12), (2, 3)), ((3, 28, 20), (7, 5)), ((1, 4, 4), (1, 1))])
def test_images_need_not_be_square(shape, grid):
    encoder, decoder = coders(shape)
    z = encoder(torch.zeros(2, *shape))
    assert z.shape == (2, 5, *grid) and encoder.grid == decoder.grid == grid
    assert decoder(z).shape == (2, *shape)


@pytest.mark.parametrize("shape", [(1, 10, 8), (1, 8, 6), (2,)])
def test_a_side_that_is_not_halved_without_a_rest_is_refused(shape):
    for make in (vq.Encoder, partial(vq.Decoder, likelihood=None)):
        with pytest.raises(ValueError, match="network 'vq'.*sides are multiples of 4.*Fix: resize"):
            make(shape, 5, [4, 6], blocks=1, hidden=3, init=INIT)
    with pytest.raises(ValueError, match="`channels` is empty"):
        vq.Encoder((1, 8, 8), 5, [], blocks=1, hidden=3, init=INIT)


def predictor(layers=3, kernel=3, depth=1):
    torch.manual_seed(0)
    return gated_pixel_cnn.Predictor(4, depth, channels=6, layers=layers, kernel=kernel, hidden=8, init=INIT)


@pytest.mark.parametrize("kernel", [3, 5])
def test_a_place_knows_all_places_before_it_and_no_other(kernel):
    """By autograd: the gradient of what a place knows is 0 at itself and later, and not 0 anywhere before."""
    net = predictor(layers=5, kernel=kernel)
    x = torch.randn(1, 6, 4, 5, requires_grad=True)
    context = net.context(x)
    for row in range(4):
        for column in range(5):
            (gradient,) = torch.autograd.grad(context[0, :, row, column].sum(), x, retain_graph=True)
            known = gradient[0].abs().amax(0).flatten() > 0
            assert known.tolist() == [place < 5 * row + column for place in range(20)]


def test_one_layer_looks_half_a_kernel_further():
    net = predictor(layers=1)
    x = torch.randn(1, 6, 5, 7, requires_grad=True)
    (gradient,) = torch.autograd.grad(net.context(x)[0, :, 4, 3].sum(), x)
    known = {tuple(place) for place in (gradient[0].abs().amax(0) > 0).nonzero().tolist()}
    # Two rows above with a column on each side, and two places to the left.
    assert known == {(row, column) for row in (2, 3) for column in (2, 3, 4)} | {(4, 1), (4, 2)}


def test_codes_of_a_place_know_those_before_them_at_their_own_place():
    net = predictor(depth=3)
    codes = torch.randint(4, (1, 3, 2, 2))
    logits = net(codes)
    assert logits.shape == (1, 3, 2, 2, 4)
    changed = codes.clone()
    changed[0, 1, 0, 0] = (changed[0, 1, 0, 0] + 1) % 4
    moved = (net(changed) != logits).any(-1)[0]
    assert moved[:, 0, 0].tolist() == [False, False, True] and moved[:, 0, 1].all()


@pytest.mark.parametrize("change", [{"layers": 0}, {"kernel": 2}, {"kernel": 1}, {"depth": 0}])
def test_numbers_out_of_range_are_refused(change):
    ((name, value),) = change.items()
    with pytest.raises(ValueError, match=f"{name}={value}.*Fix: write network.predictor"):
        predictor(**change)
