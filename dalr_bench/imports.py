"""Two things about importing that every process must know; installed when `dalr_bench` is first imported.

1. torchvision from a package index is built for CUDA. Beside a CPU torch `import torchvision` dies on a missing operator, and
   then transformers, timm, open_clip and sentence-transformers die with misleading messages. `repair_torchvision` declares the
   two operators whose shapes torchvision registers, when somebody first imports it; where it loads natively nothing changes.
2. A plugin file says `import torch` at its top. `deferred` makes that free until torch is first used, so that listing plugins
   or planning a thousand runs never pays for it.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

_NMS_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


class _RepairingLoader:
    """Runs torchvision's own loader; declares an operator each time it stops for want of one."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._inner.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        missing = ["nms", "qnms"]
        while True:
            try:
                self._inner.exec_module(module)
                return
            except RuntimeError as error:
                operator = next((name for name in missing if f"torchvision::{name} does not exist" in str(error)), None)
                if operator is None:
                    raise
            missing.remove(operator)
            for name in [name for name in sys.modules if name.startswith("torchvision.")]:
                del sys.modules[name]
            import torch

            torch.library.define(f"torchvision::{operator}", _NMS_SCHEMA)


class _TorchvisionFinder:
    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != "torchvision":
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _RepairingLoader(spec.loader)  # type: ignore[assignment]  # typeshed wants the abstract base
        return spec


def repair_torchvision() -> None:
    """Install the import hook once; costs microseconds and imports nothing."""
    if not any(finder is _TorchvisionFinder for finder in sys.meta_path):
        sys.meta_path.insert(0, _TorchvisionFinder)


class _PatientLoader(importlib.util.LazyLoader):
    """Looking at a module must not load it: an import statement reads `__spec__` of what it finds there, and pluggy asks
    everything in a plugin for its `__class__`.
    """

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        lazy = type(module)

        def read(self: ModuleType, name: str) -> Any:
            looked_at = name in ("__spec__", "__class__")
            return object.__getattribute__(self, name) if looked_at else lazy.__getattribute__(self, name)

        module.__class__ = type("PatientModule", (lazy,), {"__getattribute__": read})


class _DeferringFinder:
    def __init__(self, names: frozenset[str]) -> None:
        self.names = names

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in self.names:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _PatientLoader(spec.loader)
        return spec


class _LoadedLoader(Loader):
    """Gives back a module that is there already."""

    def __init__(self, module: ModuleType) -> None:
        self._module, self._spec = module, module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec


class _LoadedFinder:
    """`import torch.utils` asks a deferred torch for its `__path__`, which loads it, and torch.utils with it; the import
    statement looks only before that, and would load torch.utils a second time, an empty one in the place of the first.
    """

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        module = sys.modules.get(name) if target is None else None  # a reload has a target
        return None if module is None else ModuleSpec(name, _LoadedLoader(module))


@contextmanager
def deferred(*names: str) -> Iterator[None]:
    """Inside the block `import NAME` of these top-level packages binds a module that loads on first use (stdlib LazyLoader)."""
    finder = _DeferringFinder(frozenset(names))
    if _LoadedFinder not in sys.meta_path:
        sys.meta_path.insert(0, _LoadedFinder)  # stays: the first use comes later
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
