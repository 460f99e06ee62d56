"""Health of a run: what a model shows (evidence), how it is checked, and what is found (findings)."""
