"""Growth as a picture: seconds and memory of a step along every axis, both axes logarithmic where zero is not on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dalr_bench.errors import SuiteError
from dalr_bench.record.files import write_bytes, write_text

_SIZE = {"width": 190, "height": 150}


def draw(found: Mapping[str, Any], path: Path) -> None:
    """Write the picture of a `document` as SVG or PNG, by the name's ending. Raises SuiteError for another ending or
    where the drawing library is not installed."""
    try:
        import vl_convert
    except ImportError as error:
        raise SuiteError("--picture needs vl-convert: pip install 'dalr-bench[report]'") from error
    chart = specification(found)
    if path.suffix == ".svg":
        write_text(path, vl_convert.vegalite_to_svg(chart))
    elif path.suffix == ".png":
        write_bytes(path, vl_convert.vegalite_to_png(chart, scale=2))
    else:
        raise SuiteError(f"--picture {path}: expected a name that ends in .svg or .png")


def specification(found: Mapping[str, Any]) -> dict[str, Any]:
    """One column an axis: time above, memory below."""
    columns = [_column(axis, points, str(found["unit"])) for axis, points in found["axes"].items()]
    return {"background": "white", "hconcat": columns, "config": {"view": {"stroke": "#ddd"}}}


def _column(axis: str, points: Sequence[Mapping[str, Any]], unit: str) -> dict[str, Any]:
    time = [{"x": p["number"], "y": p["median"], "low": min(p["seconds"]), "high": max(p["seconds"])} for p in points]
    kinds = (("a step adds at most", "peak_bytes"), ("stays", "resident_bytes"))
    memory = [
        {"x": point["number"], "y": point[key] / 1e6, "what": what}
        for point in points
        for what, key in kinds
        if point[key] is not None
    ]
    x = {"field": "x", "type": "quantitative", "title": axis, "scale": _scale([point["number"] for point in points])}
    grid = {"axis": {"values": [point["number"] for point in points], "format": "~s"}}
    y = {"field": "y", "type": "quantitative", "title": unit}
    legend = {"field": "what", "type": "nominal", "title": None, "legend": {"orient": "bottom"}}
    marks = [
        {"mark": {"type": "line", "point": True}, "encoding": {"x": {**x, **grid}, "y": y}},
        {"mark": "rule", "encoding": {"x": x, "y": {"field": "low", "type": "quantitative"}, "y2": {"field": "high"}}},
    ]
    below = {"x": {**x, **grid}, "y": {**y, "title": "MB"}, "color": legend}
    return {
        "vconcat": [
            {**_SIZE, "data": {"values": time}, "layer": marks},
            {**_SIZE, "data": {"values": memory}, "mark": {"type": "line", "point": True}, "encoding": below},
        ]
    }


def _scale(numbers: Sequence[int]) -> dict[str, Any]:
    return {"type": "log", "base": 2, "nice": False} if min(numbers) > 0 else {"type": "linear"}
