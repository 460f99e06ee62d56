"""Distributions of an example given the output of a decoder: one family a file."""
