"""Randomness as a function of (seed, step): nothing that happens between two steps can change the second one."""

from __future__ import annotations

import hashlib

import torch


def derive(seed: int, *names: object) -> int:
    """A 63-bit seed from a run's seed and what it is for."""
    digest = hashlib.sha256("|".join(map(str, (seed, *names))).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def seed_torch(seed: int, *names: object) -> None:
    """Seed torch's global generators (CPU and CUDA)."""
    torch.manual_seed(derive(seed, *names))
