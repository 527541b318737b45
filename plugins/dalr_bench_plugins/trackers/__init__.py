"""Trackers: one component a file."""
