"""Losses: one component a file."""
