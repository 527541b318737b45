"""Evaluators: one component a file."""
