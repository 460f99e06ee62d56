"""Sweeps: search spaces, studies that survive their workers, seed groups, and statistics of what came out."""
