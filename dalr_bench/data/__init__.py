"""Stores and the schedule: what is frozen is stored, what is text is integers, the order of batches is a function."""
