"""Figures as files for papers: the page's own specifications at their defaults, drawn by vl-convert."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dalr_bench.record.files import write_bytes
from dalr_bench.report.figures import Figure
from dalr_bench.report.libraries import version
from dalr_bench.report.theme import THEMES

WIDTH = 480
_PIXELS_A_UNIT = 3


def write_pictures(folder: Path, figures: Sequence[Figure]) -> list[Path]:
    """`NAME.pdf` and `NAME.png` of each figure (light, on white, 480 units wide). Returns what was written."""
    import vl_convert

    written = []
    for figure in figures:
        spec = fixed(figure.standalone({**THEMES["light"], "background": "white"}))
        written += [folder / f"{figure.name}.pdf", folder / f"{figure.name}.png"]
        write_bytes(written[-2], vl_convert.vegalite_to_pdf(spec, vl_version=version()))
        write_bytes(written[-1], vl_convert.vegalite_to_png(spec, vl_version=version(), scale=_PIXELS_A_UNIT))
    return written


def fixed(spec: dict[str, Any], width: int = WIDTH) -> dict[str, Any]:
    """The specification at a width of its own: there is no page to fill."""
    out = {**spec, "width": width} if spec.get("width") == "container" else dict(spec)
    if "vconcat" in out:
        out["vconcat"] = [{**each, "width": width} for each in out["vconcat"]]
    return out
