"""Backbones: one component a file."""
