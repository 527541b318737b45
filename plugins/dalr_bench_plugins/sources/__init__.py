"""Sources: one component a file."""
