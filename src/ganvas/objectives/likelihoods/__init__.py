"""Distributions of an example given the decoder's output, one family in each file."""
