"""Scores: extractors, one feature pass, the metrics, and the protocol that every number carries.

Nothing is imported here: ``ganvas.extractors.mnist`` does not pay for what ``ganvas.metrics.frechet`` needs.
"""
