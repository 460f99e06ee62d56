"""Distributions of latents that are fitted after the training, to codes of training images: one in each file."""
