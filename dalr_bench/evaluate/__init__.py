"""Scoring: every sentence encoded once, every evaluator run under a forked RNG."""
