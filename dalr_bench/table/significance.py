"""Which rows are not shown to be worse than the best of their group."""

from __future__ import annotations

from collections.abc import Sequence

from dalr_bench.statistics.holm import holm
from dalr_bench.table.found import Found, Line
from dalr_bench.table.model import Column, Significance


def not_shown_worse(
    lines: Sequence[Line], best: int, column: Column, found: Found, significance: Significance
) -> frozenset[int]:
    """Positions of the best row and of those whose difference to it is not significant, or could not be tested."""
    others = [i for i, line in enumerate(lines) if i != best and found.measured(line, column)]
    pairs = [found.pairs(lines[best], lines[i], column) for i in others]
    corrected = holm([significance.p(each, column) if each else None for each in pairs])
    alike = [i for i, p in zip(others, corrected, strict=True) if p is None or p >= significance.level]
    return frozenset([best, *alike])
