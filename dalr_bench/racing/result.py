"""A race in numbers: seconds, samples a second, ratios by round, MFU; as a JSON document and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from statistics import median
from typing import Any

from dalr_bench.errors import counted
from dalr_bench.racing.race import Raced, Row
from dalr_bench.racing.setting import BARE, COMPILED, OURS

_OWN = (OURS, BARE, COMPILED)
_PARTS = ("tokenise", "forward", "backward", "clip+optimizer", "other")


def document(raced: Raced, versions: dict[str, str]) -> dict[str, Any]:
    """Medians over rounds; a ratio is the other side's seconds over ours, round by round."""
    ours = _seconds(raced.steps[OURS])
    rate = median(raced.rates)
    unit = "seconds of the device" if raced.wish.device == "cuda" else "CPU seconds"
    return {
        "bench": "train",
        "wish": asdict(raced.wish),
        "unit": unit,
        "work": raced.work,
        "matmul_flop_per_second": rate,
        "versions": versions,
        "sides": {name: _side(raced, rows, rate) for name, rows in raced.steps.items()},
        "ratios": {
            name: _spread([other / mine for other, mine in zip(_seconds(rows), ours, strict=True)])
            for name, rows in raced.steps.items()
            if name not in _OWN
        }
        | _among_ours(raced),
    }


def _among_ours(raced: Raced) -> dict[str, Any]:
    """What teachers cost, and what compiling gains: our sides over one another, round by round."""
    pairs = [(a, b) for a, b in ((OURS, BARE), (COMPILED, OURS)) if a in raced.steps and b in raced.steps]
    return {
        f"{a} over {b}": _spread(
            [one / two for one, two in zip(_seconds(raced.steps[a]), _seconds(raced.steps[b]), strict=True)]
        )
        for a, b in pairs
    }


def _seconds(rows: Sequence[Row]) -> list[float]:
    return [sum(row["parts"].values()) for row in rows]


def _side(raced: Raced, rows: Sequence[Row], rate: float) -> dict[str, Any]:
    seconds = _seconds(rows)
    losses = [row["loss"] for row in rows if row["loss"] is not None]
    middle = median(seconds)
    return {
        "seconds": _spread(seconds),
        "samples_per_second": raced.wish.batch / middle,
        "mfu": raced.work["needed"] / middle / rate,
        "parts": {part: median(row["parts"].get(part, 0.0) for row in rows) for part in _PARTS},
        "mean_loss": sum(losses) / len(losses) if losses else None,
        "peak_bytes": rows[-1]["peak_bytes"],
    }


def _spread(values: Sequence[float]) -> dict[str, Any]:
    ordered = sorted(values)
    return {
        "median": median(ordered),
        "iqr": [_quantile(ordered, 0.25), _quantile(ordered, 0.75)],
        "rounds": list(values),
    }


def _quantile(ordered: Sequence[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def _precision(wish: dict[str, Any]) -> str:
    ours, theirs = wish["precision"], wish["their_precision"]
    return str(ours) if ours == theirs else f"{ours} (others {theirs})"


def lines(found: dict[str, Any]) -> list[str]:
    """The table a terminal shows."""
    wish, work = found["wish"], found["work"]
    out = [
        f"train: batch {wish['batch']} x 2 views, {wish['pooling']} pooling, {_precision(wish)}, "
        f"{counted(wish['threads'], 'thread')}, {wish['device']}, {counted(wish['teachers'], 'teacher')}, {found['unit']}, "
        f"median of {counted(wish['rounds'], 'round')} after {wish['warm_up']} to warm up",
        f"mean length {work['length']:.1f} of at most {wish['max_length']} ({100 * work['cut']:.0f} % reach it), "
        f"padded to {work['padded_length']:.1f}; a step needs {work['needed'] / 1e9:.1f} GFLOP, padded "
        f"{work['padded'] / 1e9:.1f}; matmul {found['matmul_flop_per_second'] / 1e9:.1f} GFLOP/s",
        f"  {'':<24}" + "".join(f"{part:>15}" for part in (*_PARTS, "step s", "samples/s", "MFU")),
    ]
    for name, side in found["sides"].items():
        parts = "".join(f"{1e3 * side['parts'][part]:>12.1f} ms" for part in _PARTS)
        mfu = f"{100 * side['mfu']:.0f} %"
        out.append(f"  {name:<24}{parts}{side['seconds']['median']:>15.3f}{side['samples_per_second']:>15.1f}{mfu:>15}")
    for name, ratio in found["ratios"].items():
        what = name if " over " in name else f"{name} / ours"
        low, high = ratio["iqr"]
        out.append(
            f"  {what:<36} {ratio['median']:.3f} (iqr {low:.3f} to {high:.3f}; mean length {work['length']:.1f}, "
            f"cap {wish['max_length']})"
        )
    return out


def versions() -> dict[str, str]:
    """Of what decides speed here."""
    import torch

    return {
        **{name: version(name) for name in ("torch", "transformers", "sentence-transformers")},
        "device": torch.cuda.get_device_name()
        if torch.cuda.is_available()
        else torch.backends.cpu.get_cpu_capability(),
    }
