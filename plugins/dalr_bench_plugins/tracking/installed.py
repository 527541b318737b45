"""Trackers are extras: asked for without their library, they say how to get it."""

from __future__ import annotations

from importlib.util import find_spec

from dalr_bench import PluginError


def require(library: str) -> None:
    """Raise PluginError with the line that installs it, where a library is missing. Nothing is imported.

    A folder of that name in the working directory (`wandb/`, say, left by an earlier run) is no library.
    """
    found = find_spec(library)
    if found is None or found.origin is None:
        raise PluginError(f"tracker '{library}' needs a library: pip install 'dalr-bench[{library}]'")
