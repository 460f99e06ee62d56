"""What watches a training: one callback a file."""
