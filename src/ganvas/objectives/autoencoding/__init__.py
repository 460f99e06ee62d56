"""Objectives of autoencoders that bound no evidence, one idea in each file."""
