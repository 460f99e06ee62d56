"""Scores: extractors, one feature pass, the metrics, and the protocol that every number carries.

Nothing is imported here: ``ganvas.metrics.mnist_extractor`` does not pay for what ``ganvas.metrics.frechet`` needs.
"""
