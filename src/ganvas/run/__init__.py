"""One training run: what was asked for, how it is put together, and what came out."""
