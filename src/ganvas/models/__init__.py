"""The Lightning modules: :class:`GAN`, :class:`WGAN` and :class:`VAE`."""

from ganvas.models.base import Model
from ganvas.models.gan import GAN
from ganvas.models.vae import VAE
from ganvas.models.wgan import WGAN

__all__ = ["GAN", "VAE", "WGAN", "Model"]
