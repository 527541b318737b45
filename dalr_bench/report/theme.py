"""How charts look on the page, light and dark, and in print. Colours are those of Okabe and Ito (2008), which people
with any colour vision can tell apart; the dark ones are lightened. Shapes repeat what colours say."""

from __future__ import annotations

from typing import Any

_FONT = "system-ui, 'DejaVu Sans', sans-serif"
_LIGHT = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#7f5539", "#555555"]
_DARK = ["#56b4e9", "#ff9a4d", "#3ddbb0", "#eaa6cb", "#9ad0f5", "#f5c451", "#c99e80", "#bbbbbb"]
_RAMP_LIGHT, _RAMP_DARK = ["#f2f7fb", "#5da9d6"], ["#1d2a36", "#2f6f9f"]


def config(dark: bool = False) -> dict[str, Any]:
    """The Vega-Lite config of one theme; the background is the page's own."""
    ink, faint = ("#e6e6e6", "#3d434b") if dark else ("#1f2328", "#d9dee3")
    words = {"labelColor": ink, "titleColor": ink, "labelFontSize": 12, "titleFontSize": 12}
    return {
        "background": None,
        "font": _FONT,
        "padding": 5,
        "view": {"stroke": None},
        "axis": {**words, "gridColor": faint, "domainColor": faint, "tickColor": faint, "labelLimit": 220},
        "axisQuantitative": {"tickCount": 8},
        "legend": {**words, "labelLimit": 260, "symbolLimit": 60},
        "header": words,
        "title": {"color": ink, "fontSize": 13, "fontWeight": 600, "anchor": "start"},
        "text": {"color": ink},
        "rule": {"color": ink},
        "bar": {"color": (_DARK if dark else _LIGHT)[0]},
        "point": {"opacity": 0.9},
        "range": {"category": _DARK if dark else _LIGHT, "heatmap": _RAMP_DARK if dark else _RAMP_LIGHT},
    }


THEMES = {"light": config(), "dark": config(dark=True)}
