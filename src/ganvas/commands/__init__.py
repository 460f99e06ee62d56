"""The commands of ``ganvas``: one main function each, read top to bottom."""
