"""Many tests at once."""

from __future__ import annotations

from collections.abc import Sequence


def holm(values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down correction: the k-th smallest of m p-values times m-k+1, never falling, at most 1.

    None (no test could be made) stays None and is not counted among the m.
    """
    known = sorted((value, place) for place, value in enumerate(values) if value is not None)
    out: list[float | None] = [None] * len(values)
    highest = 0.0
    for position, (value, place) in enumerate(known):
        highest = max(highest, min(1.0, value * (len(known) - position)))
        out[place] = highest
    return out
