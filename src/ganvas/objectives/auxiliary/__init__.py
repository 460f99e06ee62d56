"""Auxiliary terms, which read a critic's features, or the outputs that it has beside its score."""
