"""Distances of a decoded example from the true one that are no log-probabilities; one file each."""
