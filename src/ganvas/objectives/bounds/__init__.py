"""Bounds on the evidence: one objective a file."""
