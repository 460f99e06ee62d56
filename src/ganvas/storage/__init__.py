"""Files: atomic writes, checkpoints, and a cache whose file names are content hashes."""
