"""Sentences as bags: one column per word or concept. Floors and ceilings that need no training."""
