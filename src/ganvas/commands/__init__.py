"""The commands of ``ganvas``: one module and one main function for each command."""
