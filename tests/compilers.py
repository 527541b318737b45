"""What tests of compiled training share: a cache of compiled code, where there is a compiler, and a count of compilations."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch._dynamo.utils import counters

from dalr_bench import TrainingError
from dalr_bench.train.compiling import ready

# torch's tracer asks every tensor for `.grad` and hides its own warning of it, which it cannot where warnings are errors.
QUIET = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")


def with_a_compiler(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled code is kept for all tests of a session, or the test is skipped with the compiler's own reason."""
    kept = os.environ.get("TORCHINDUCTOR_CACHE_DIR") or str(tmp_path_factory.getbasetemp() / "inductor")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", kept)
    try:
        ready("default", torch.device("cpu"))
    except TrainingError as error:
        pytest.skip(str(error))


@contextmanager
def counted() -> Iterator[dict[str, int]]:
    """`graphs`: how many graphs were compiled inside."""
    counters.clear()
    found: dict[str, int] = {}
    yield found
    found["graphs"] = counters["stats"]["unique_graphs"]
    found["breaks"] = sum(counters["graph_break"].values())
