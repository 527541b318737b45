"""What `dalr-bench doctor` looks at: each thing with its state, and what to do where it is not well."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path
from typing import Literal

from dalr_bench.cache import cache_root
from dalr_bench.errors import counted
from dalr_bench.plugin.manager import BLOCK, load
from dalr_bench.plugin.spec import PLUGIN_API

State = Literal["ok", "note", "broken"]
_GIB = 2**30
# Below this nothing can be stored; below the other a hub model does not fit.
_NO_ROOM, _LITTLE_ROOM = _GIB // 4, 5 * _GIB


@dataclass(frozen=True)
class Found:
    """One thing looked at. `fix` says what to do where `state` is not ok."""

    name: str
    state: State
    what: str
    fix: str = ""


def checkup() -> list[Found]:
    """Everything, in the order a person would ask."""
    looks: tuple[Callable[[], Iterator[Found]], ...] = (
        _versions,
        _torch,
        _torchvision,
        _transformers,
        _plugins,
        _extras,
        _compiler,
        _cache,
        _hub,
        _data,
    )
    return [found for look in looks for found in look()]


def _versions() -> Iterator[Found]:
    from packaging.requirements import Requirement

    yield Found("python", "ok", f"{sys.version.split()[0]} at {sys.executable}")
    yield Found("dalr-bench", "ok", f"{version('dalr-bench')}, plugin API {PLUGIN_API}")
    for line in requires("dalr-bench") or ():
        ask = Requirement(line)
        if ask.marker is not None and not ask.marker.evaluate({"extra": ""}):
            continue
        try:
            here = version(ask.name)
        except PackageNotFoundError:
            yield Found(ask.name, "broken", "is not installed", f"pip install '{ask.name}{ask.specifier}'")
            continue
        inside = ask.specifier.contains(here, prereleases=True)
        fix = "" if inside else f"pip install '{ask.name}{ask.specifier}'"
        told = here if inside else f"{here}, but {ask.specifier} is needed"
        yield Found(ask.name, "ok" if inside else "broken", told, fix)


def _torch() -> Iterator[Found]:
    import torch

    from dalr_bench.record.environment import cores

    devices = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    if devices:
        yield Found("devices", "ok", f"CUDA {torch.version.cuda}: {', '.join(devices)}")
    else:
        built = f"torch is built for CUDA {torch.version.cuda}" if torch.version.cuda else "torch is a CPU build"
        fix = "on a machine with a GPU install a CUDA build of torch, and look at `nvidia-smi`"
        yield Found("devices", "note", f"no CUDA device ({built}): runs use {cores()} CPU cores", fix)


def _torchvision() -> Iterator[Found]:
    import torch

    try:
        import torchvision
        from torchvision import extension
    except Exception as error:
        fix = "install the torchvision that belongs to this torch (same release, same CPU or CUDA build)"
        yield Found("torchvision", "broken", f"cannot be imported: {_line(error)}", fix)
        return
    if extension._has_ops():
        yield Found("torchvision", "ok", f"{torchvision.__version__} beside torch {torch.__version__}")
        return
    what = f"{torchvision.__version__} is no build for torch {torch.__version__}: dalr-bench declares what its import lacks"
    yield Found(
        "torchvision", "note", what, "nothing: pictures are read by Pillow, its compiled operators are not used"
    )


def _transformers() -> Iterator[Found]:
    try:
        from transformers import AutoModel, PreTrainedModel

        assert AutoModel, PreTrainedModel
    except Exception as error:
        fix = "see torchvision above: where it cannot be imported, transformers' models cannot either"
        yield Found("models", "broken", f"transformers' models cannot be imported: {_line(error)}", fix)
    else:
        yield Found("models", "ok", "transformers' models can be imported")


def _plugins() -> Iterator[Found]:
    catalogue = load().catalogue
    for distribution in sorted({f"{item.distribution} {item.version}" for item in catalogue}):
        count = sum(f"{item.distribution} {item.version}" == distribution for item in catalogue)
        yield Found("plugin", "ok", f"{distribution}: {counted(count, 'component')}")
    for name, reason in sorted(catalogue.broken.items()):
        short = name.partition(" of ")[0]
        if reason.startswith("blocked by"):
            yield Found("plugin", "note", f"{name}: {reason}", f"take it out of {BLOCK} to use it")
        else:
            fix = f"mend, upgrade or uninstall it; {BLOCK}={short} leaves it out until then"
            yield Found("plugin", "broken", f"{name}: {reason}", fix)


def _extras() -> Iterator[Found]:
    """Optional parts: an extra is there when all it asks for is."""
    for extra in metadata("dalr-bench").get_all("Provides-Extra") or ():
        asked = [
            line for line in requires("dalr-bench") or () if re.search(rf"extra == ['\"]{re.escape(extra)}['\"]", line)
        ]
        names = [re.split(r"[^A-Za-z0-9._-]", line)[0] for line in asked]
        missing = [name for name in names if name != "dalr-bench" and not _installed(name)]
        fix = f"pip install 'dalr-bench[{extra}]'" if missing else ""
        told = f"not installed: {', '.join(missing)}" if missing else "installed"
        yield Found(f"extra {extra}", "note" if missing else "ok", told, fix)


def _compiler() -> Iterator[Found]:
    found = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if found:
        yield Found("compiler", "ok", found)
    else:
        what = "no C compiler: native steps fall back to portable ones, with the same scores and slower"
        yield Found("compiler", "note", what, "install gcc or clang")


def _cache() -> Iterator[Found]:
    folder = cache_root()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        yield Found(
            "cache", "broken", f"{folder} cannot be made: {error.strerror}", "set DALR_BENCH_CACHE to another folder"
        )
        return
    if not os.access(folder, os.W_OK):
        yield Found("cache", "broken", f"{folder} cannot be written", "set DALR_BENCH_CACHE to another folder")
        return
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    yield Found("cache", "ok", f"{folder}, {size / _GIB:.2f} GiB")
    state: State = "broken" if free < _NO_ROOM else "note" if free < _LITTLE_ROOM else "ok"
    fix = (
        ""
        if state == "ok"
        else f"make room, remove {folder} (it is built anew), or set DALR_BENCH_CACHE to another disk"
    )
    yield Found("disk", state, f"{free / _GIB:.1f} GiB free at the cache", fix)


def _hub() -> Iterator[Found]:
    from huggingface_hub import constants

    offline = bool(constants.HF_HUB_OFFLINE)
    told = (
        "offline (HF_HUB_OFFLINE): models must be there already"
        if offline
        else "online: models are fetched when needed"
    )
    fix = "`dalr-bench prefetch SUITE` on a machine with network, or unset HF_HUB_OFFLINE" if offline else ""
    yield Found("hub", "note" if offline else "ok", f"{told}; cache {constants.HF_HUB_CACHE}", fix)


def _data() -> Iterator[Found]:
    named = os.environ.get("DALR_BENCH_DATA")
    if not named:
        fix = "set DALR_BENCH_DATA to a folder of evaluation data, or give --data"
        yield Found("data", "note", "no folder of evaluation data is named", fix)
    elif not Path(named).is_dir():
        yield Found("data", "broken", f"DALR_BENCH_DATA names '{named}', which is no folder", "name the right folder")
    else:
        yield Found("data", "ok", named)


def _installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def _line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
