"""The plotting libraries of the extra `report`, asked for once and with a line that says what to do without them."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module

from dalr_bench.errors import PluginError

_NEEDED = {"altair": "altair", "vl_convert": "vl-convert-python"}


def check() -> None:
    """Raises PluginError where a library of the extra is missing, naming it and the line that installs all."""
    missing = []
    for module, distribution in _NEEDED.items():
        try:
            import_module(module)
        except ImportError:
            missing.append(distribution)
    if missing:
        raise PluginError(f"the report needs {' and '.join(missing)}: pip install 'dalr-bench[report]'")


def version() -> str:
    """The Vega-Lite version Altair writes, as vl-convert names it: `6.4`."""
    import altair

    return ".".join(altair.SCHEMA_VERSION.removeprefix("v").split(".")[:2])


@lru_cache(maxsize=1)
def script() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script without imports, from vl-convert: nothing is downloaded.

    Raises ValueError if it could end the element it stands in.
    """
    import vl_convert

    text: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", version())
    if "</script" in text.lower() or "<!--" in text:
        raise ValueError("the plotting script holds a mark that would end its element")
    return text
