"""Both ways through a layer."""

from __future__ import annotations

import pytest

from dalr_bench_plugins.packed import forward, native


@pytest.fixture
def fused() -> None:
    """The kernels, without which a test has nothing to show."""
    if native.library() is None:
        pytest.skip("no C++ compiler")


@pytest.fixture(params=["fused", "plain"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "plain":
        monkeypatch.setattr(forward, "can_fuse", lambda *_: False)
    else:
        request.getfixturevalue("fused")
    return str(request.param)
