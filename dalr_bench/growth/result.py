"""What was measured, as a JSON document and as lines of a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dalr_bench.errors import counted
from dalr_bench.growth.measure import Grown

_HEAD = ("", "s a step", "low", "high", "ratio", "ms a sentence", "tokens", "peak MB", "resident MB")


def document(found: Mapping[str, Sequence[Grown]], machine: Mapping[str, Any], threads: int) -> dict[str, Any]:
    """Seconds of each point's step by round; `ratio` is the median to the first point's of the same round."""
    return {
        "bench": "growth",
        "unit": "seconds of the device" if str(machine.get("device")).startswith("cuda") else "CPU seconds",
        "threads": threads,
        "machine": {key: machine.get(key) for key in ("cpu", "cores", "device", "libraries")},
        "axes": {axis: [_point(each, grown[0]) for each in grown] for axis, grown in found.items()},
    }


def _point(grown: Grown, first: Grown) -> dict[str, Any]:
    ratios = sorted(mine / theirs for mine, theirs in zip(grown.seconds, first.seconds, strict=True))
    return {
        "number": grown.point.number,
        "seconds": list(grown.seconds),
        "median": grown.second,
        "ratio": ratios[len(ratios) // 2],
        "sentences": grown.sentences,
        "tokens_per_sentence": grown.tokens,
        "peak_bytes": grown.peak_bytes,
        "resident_bytes": grown.resident_bytes,
    }


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """A table an axis."""
    yield f"growth of a training step, {counted(found['threads'], 'thread')}, {found['unit']}"
    for axis, points in found["axes"].items():
        yield ""
        yield "  ".join(f"{head or axis:>13}" for head in _HEAD)
        for point in points:
            peak = point["peak_bytes"]
            numbers = (
                f"{point['number']}",
                f"{point['median']:.4g}",
                f"{min(point['seconds']):.4g}",
                f"{max(point['seconds']):.4g}",
                f"{point['ratio']:.3f}",
                f"{1e3 * point['median'] / point['sentences']:.3f}",
                f"{point['tokens_per_sentence']:.1f}",
                "unknown" if peak is None else f"{peak / 1e6:.1f}",
                f"{point['resident_bytes'] / 1e6:.1f}",
            )
            yield "  ".join(f"{number:>13}" for number in numbers)
