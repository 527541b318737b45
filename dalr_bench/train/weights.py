"""A run's weights on disk: safetensors, whole or not at all, with the hash others know them by."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import torch
from torch import nn

from dalr_bench.errors import DataError

FILE = "weights.safetensors"


def save(folder: Path, student: nn.Module, objective: nn.Module) -> None:
    """Write `weights.safetensors`: the student's state under `student.`, the losses' parts under `objective.`."""
    from safetensors.torch import save_file

    tensors = {f"student.{name}": value for name, value in student.state_dict().items()}
    tensors |= {f"objective.{name}": value for name, value in objective.state_dict().items()}
    temporary = folder / f".{FILE}.{os.getpid()}"
    save_file({name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}, temporary)
    with temporary.open("rb") as handle:
        os.fsync(handle.fileno())
    temporary.replace(folder / FILE)


def load(folder: Path, student: nn.Module, objective: nn.Module) -> None:
    """Load what `save` wrote. Raises DataError where the file is missing, damaged or of another shape."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / FILE
    try:
        tensors = load_file(path)
        student.load_state_dict(_under(tensors, "student."))
        objective.load_state_dict(_under(tensors, "objective."))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise DataError(f"{path}: these weights cannot be used: {error}") from error


def _under(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def digest(folder: Path) -> str:
    """sha256 of the weights file: what tells two trained students apart."""
    with (folder / FILE).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def digest_if_there(folder: Path) -> str | None:
    """`digest`, or None where no weights were written yet."""
    return digest(folder) if (folder / FILE).is_file() else None
