"""Distributions over latents: priors and posteriors."""
