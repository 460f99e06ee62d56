"""Health of a run: evidence that a model provides, checks of the evidence, and their results (findings)."""
