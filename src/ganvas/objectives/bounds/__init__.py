"""Lower bounds on the log evidence, one objective in each file."""
