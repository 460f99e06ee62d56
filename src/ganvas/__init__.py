"""ganvas: experiment-tracked research on GANs, WGANs and VAEs."""

__version__ = "0.1.0"
