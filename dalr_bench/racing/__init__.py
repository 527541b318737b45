"""Training against the ways others train: each side a process of its own, steps in turn, on one model and one data."""
