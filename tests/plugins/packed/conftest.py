"""Both ways through a layer."""

from __future__ import annotations

import platform
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from dalr_bench_plugins import compiled
from dalr_bench_plugins.packed import forward, native


@pytest.fixture
def fused() -> None:
    """The kernels, without which a test has nothing to show."""
    if native.library() is None:
        pytest.skip("no C++ compiler")


# What the kernels are compiled with for processors whose registers are narrower than this one's may be.
NARROW = {"fused, 8 numbers": "-mno-avx512f", "fused, 4 numbers": "-mno-avx"}


@pytest.fixture(params=["fused", *NARROW, "plain"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "plain":
        monkeypatch.setattr(forward, "can_fuse", lambda *_: False)
        return "plain"
    request.getfixturevalue("fused")
    if request.param in NARROW:
        if platform.machine() not in ("x86_64", "AMD64"):
            pytest.skip("narrower registers are asked for by flags of x86")
        kernels = narrow(NARROW[request.param])
        assert kernels is not None, "the same source compiles for this processor's own registers"
        monkeypatch.setattr(native, "library", lambda: kernels)
    return "fused"


@cache
def narrow(flag: str) -> Any | None:
    return compiled.library(replace(native._SOURCE, flags=(*native._SOURCE.flags, flag)))
