"""What ``ganvas score`` is made of: sources, references, and one file for each kind of measure."""
