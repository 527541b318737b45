"""C and C++ sources of this distribution, compiled once for this machine. Without a compiler the callers have another way."""

from __future__ import annotations

import ctypes
import hashlib
import json
import platform
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from dalr_bench.cache import READY, build_once, cache_root

_FLAGS = ("-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-fno-signed-zeros", "-shared", "-fPIC")


@dataclass(frozen=True)
class Source:
    """One file of a package, the compilers that may take it in order of choice, and what they are told beside `_FLAGS`."""

    package: str
    file: str
    compilers: Sequence[str]
    flags: Sequence[str]


def library(source: Source) -> Any | None:
    """The loaded library (the caller keeps it); None where there is no working compiler (or the cache cannot be written)."""
    compiler = next((found for name in source.compilers if (found := shutil.which(name))), None)
    if compiler is None:
        return None
    try:
        return ctypes.CDLL(str(_compiled(compiler, source) / "library.so"))
    except (OSError, subprocess.SubprocessError):
        return None


def _compiled(compiler: str, source: Source) -> Path:
    text = (files(source.package) / source.file).read_text(encoding="utf-8")
    # What `native` means here: a cache folder shared by unlike machines must not hand one the other's instructions.
    machine = subprocess.run(
        [compiler, "-march=native", "-dM", "-E", "-x", "c", "/dev/null"], capture_output=True, check=True, timeout=60
    ).stdout
    flags = (*_FLAGS, *source.flags)
    key = hashlib.sha256(text.encode() + machine + " ".join((*flags, platform.machine())).encode()).hexdigest()[:24]

    def build(folder: Path) -> None:
        (folder / source.file).write_text(text, encoding="utf-8")
        command = [compiler, *flags, source.file, "-o", "library.so", "-lm"]
        subprocess.run(command, cwd=folder, capture_output=True, check=True, timeout=120)
        (folder / READY).write_text(json.dumps({"command": command[1:]}))

    return build_once(cache_root() / "native" / key, build)
