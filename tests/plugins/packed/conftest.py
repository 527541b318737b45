"""Both ways through a layer."""

from __future__ import annotations

import pytest

from dalr_bench_plugins.packed import forward, native


@pytest.fixture(params=["fused", "plain"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "plain":
        monkeypatch.setattr(forward, "can_fuse", lambda *_: False)
    elif native.library() is None:
        pytest.skip("no C++ compiler")
    return str(request.param)
