"""Losses of the adversarial game, one objective in each file."""
