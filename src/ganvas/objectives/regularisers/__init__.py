"""Regularisers of a generator beyond its loss, one regulariser in each file."""
