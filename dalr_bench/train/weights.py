"""A run's weights on disk: safetensors, whole or not at all, with the hash others know them by."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from dalr_bench.errors import DataError
from dalr_bench.record.files import write_apart
from dalr_bench.train.course import State

FILE = "weights.safetensors"


def save(folder: Path, student: nn.Module, objective: nn.Module) -> None:
    """Write `weights.safetensors`: the student's state under `student.`, the losses' parts under `objective.`."""
    tensors = joined(student.state_dict(), objective.state_dict())
    write_apart(folder / FILE, lambda part: write_tensors(part, tensors))


def load(folder: Path, student: nn.Module, objective: nn.Module) -> None:
    """Load what `save` wrote. Raises DataError where the file is missing, damaged or of another shape."""
    path = folder / FILE
    try:
        ours, theirs = split(read_tensors(path))
        student.load_state_dict(ours)
        objective.load_state_dict(theirs)
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(f"{path}: these weights cannot be used: {error}") from error


def joined(student: Mapping[str, Tensor], objective: Mapping[str, Tensor]) -> State:
    """Both states in one file's names."""
    return {
        f"{whose}.{name}": value
        for whose, state in (("student", student), ("objective", objective))
        for name, value in state.items()
    }


def split(tensors: Mapping[str, Tensor]) -> tuple[State, State]:
    """The inverse of `joined`."""
    return _under(tensors, "student."), _under(tensors, "objective.")


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """A safetensors file; tensors that share memory (tied weights) are written one by one. Raises OSError where there is no room."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    try:
        save_file({name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}, path)
    except SafetensorError as error:
        raise _as_system_fault(error, path) from error


def read_tensors(path: Path) -> State:
    """What `write_tensors` wrote. Raises OSError where there is none, ValueError where it is damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(str(error)) from error


def _as_system_fault(error: Exception, path: Path) -> OSError:
    """safetensors tells a full disk in words of its own: `I/O error: ... (os error 28)`."""
    found = re.search(r"os error (\d+)", str(error))
    return OSError(int(found[1]), os.strerror(int(found[1])), str(path)) if found else OSError(str(error))


def _under(tensors: Mapping[str, Tensor], prefix: str) -> State:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def size(module: nn.Module) -> int:
    """Bytes of a module's state on disk."""
    return sum(value.numel() * value.element_size() for value in module.state_dict().values())


def digest(folder: Path) -> str:
    """sha256 of the weights file: what tells two trained students apart."""
    with (folder / FILE).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def digest_if_there(folder: Path) -> str | None:
    """`digest`, or None where no weights were written yet."""
    return digest(folder) if (folder / FILE).is_file() else None
