"""Your own parts for ganvas."""

from own_package.data import Blobs
from own_package.loss import Logistic
from own_package.network import Critic, Generator

__all__ = ["Blobs", "Critic", "Generator", "Logistic"]
