"""The promises that ganvas asks of every part, kept by this package's own."""

from own_package import Blobs, Critic, Generator, Logistic

from ganvas import testing


def test_the_objective_keeps_its_promises():
    testing.check_adversarial(Logistic(sharpness=2.0))


def test_the_networks_keep_their_promises():
    testing.check_generator(Generator((1, 28, 28), 8, 16), dim=8)
    testing.check_critic(Critic((1, 28, 28), 16))


def test_the_data_set_keeps_its_promises():
    testing.check_source(Blobs("blobs", [1, 28, 28], n=40))
