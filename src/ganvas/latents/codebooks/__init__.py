"""Codebooks: quantisers of grids of vectors, one in each file, and distributions over the grids of codes."""
