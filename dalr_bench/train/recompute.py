"""Memory for time: a student's layers computed again in the backward pass instead of kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dalr_bench.errors import SuiteError
from dalr_bench.protocols import RecomputingBackbone


@contextmanager
def recomputing(student: Any, wanted: bool) -> Iterator[None]:
    """Layers recomputed inside the block (Chen et al. 2016), with the same random draws: the step is equal to the bit.

    Raises SuiteError where the backbone cannot do that.
    """
    if not wanted:
        yield
        return
    if not isinstance(student, RecomputingBackbone):
        raise SuiteError(f"train.gradient_checkpointing: {type(student).__name__} cannot compute its layers again")
    student.recompute(True)
    try:
        yield
    finally:
        student.recompute(False)
