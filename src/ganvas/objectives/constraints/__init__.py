"""What is asked of a critic besides its loss: one constraint a file."""
