"""Randomness as a function of (seed, step): nothing that happens between two steps can change the second one."""

from __future__ import annotations

import hashlib
import random

import numpy as np
import torch
from torch import Tensor


def derive(seed: int, *names: object) -> int:
    """A 63-bit seed from a run's seed and what it is for."""
    digest = hashlib.sha256("|".join(map(str, (seed, *names))).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def seed_torch(seed: int, *names: object) -> None:
    """Seed torch's global generators (CPU and CUDA)."""
    torch.manual_seed(derive(seed, *names))


def seed_all(seed: int, *names: object) -> None:
    """`seed_torch`, and Python's and NumPy's generators: a plugin may draw from them, and nobody seeds them by step."""
    seed_torch(seed, *names)
    random.seed(derive(seed, *names))
    np.random.seed(derive(seed, *names) & 0xFFFFFFFF)


def generators() -> dict[str, Tensor]:
    """The states of all global generators as tensors: torch's (CPU, every CUDA device), NumPy's, Python's."""
    kind, words, position, has_gauss, gauss = np.random.get_state(legacy=True)
    version, numbers, spare = random.getstate()
    assert (kind, version) == ("MT19937", 3)
    cuda = {f"cuda.{n}": torch.cuda.get_rng_state(n) for n in range(torch.cuda.device_count())}
    return {
        "torch": torch.get_rng_state(),
        **cuda,
        "numpy": torch.tensor([*map(int, words), position, has_gauss]),
        "numpy.gauss": torch.tensor([gauss], dtype=torch.float64),
        "python": torch.tensor(numbers),
        "python.gauss": torch.tensor([] if spare is None else [spare], dtype=torch.float64),
    }


def set_generators(states: dict[str, Tensor]) -> None:
    """Give all global generators the states that `generators` told. Raises KeyError where one is not there."""
    torch.set_rng_state(states["torch"])
    for number in range(torch.cuda.device_count()):
        if f"cuda.{number}" in states:
            torch.cuda.set_rng_state(states[f"cuda.{number}"], number)
    *words, position, has_gauss = states["numpy"].tolist()
    np.random.set_state(("MT19937", np.array(words, np.uint32), position, has_gauss, float(states["numpy.gauss"][0])))
    spare = states["python.gauss"].tolist()
    random.setstate((3, tuple(states["python"].tolist()), spare[0] if spare else None))
