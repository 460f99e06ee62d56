"""The callbacks that watch a training, one a file."""
