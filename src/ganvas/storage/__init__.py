"""Files: written whole or not at all, and kept by their content."""
