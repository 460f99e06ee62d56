"""Losses of the adversarial game: one objective a file."""
