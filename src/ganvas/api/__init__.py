"""The commands as Python functions: the same overrides go in, objects come back instead of printed tables."""
