"""Teachers: one component a file."""
