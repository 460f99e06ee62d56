"""Constraints on a critic beyond its loss, one constraint in each file."""
