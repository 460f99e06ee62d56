"""Extractors: images to features, each stating how it reads an image."""
