"""Executors: one component a file."""
