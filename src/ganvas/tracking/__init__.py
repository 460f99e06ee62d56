"""MLflow runs and the Lightning callbacks that write to them: losses, pictures, checkpoints, progress, provenance."""
