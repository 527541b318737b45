"""What a new plugin may be called: a name Python, packaging and the catalogue all take."""

from __future__ import annotations

import importlib.util
import keyword
import re
import sys

from dalr_bench.errors import SuiteError
from dalr_bench.plugin.origin import origins, plain
from dalr_bench.plugin.registry import Catalogue

_FORM = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")


def module_name(name: str) -> str:
    """`word-length` → `word_length`. Raises SuiteError for a name Python or an installed package would not allow."""
    if not _FORM.fullmatch(name) or len(name) > 60:
        raise SuiteError(f"'{name}' is no name for a plugin: expected small letters and digits, words joined by - or _")
    module = name.replace("-", "_")
    if keyword.iskeyword(module) or module in sys.stdlib_module_names:
        raise SuiteError(f"'{module}' is a word of Python's own: choose another name")
    if importlib.util.find_spec(module) is not None:
        raise SuiteError(f"a package '{module}' is installed here already: choose another name")
    return module


def refuse_taken(kind: str, name: str, catalogue: Catalogue) -> None:
    """Raises SuiteError where a component of that kind, or a plugin, has the name."""
    taken = catalogue.components.get((kind, name))
    if taken is not None:
        raise SuiteError(f"{kind} '{name}' is already registered by {taken.distribution}: choose another name")
    plugin = next((one for one in origins() if plain(one.distribution) == plain(name)), None)
    if plugin is not None:
        raise SuiteError(f"the plugin {plugin.title} has that name: choose another")
