"""Run folders: written whole, read with suspicion."""
