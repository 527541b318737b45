"""One copy of a frozen model in a process, however many teachers (or sides of one) are made of it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable
from typing import Any

# Weak: a model goes when the last teacher that holds it goes; no result can depend on what is kept here.
_LIVING: weakref.WeakValueDictionary[Hashable, Any] = weakref.WeakValueDictionary()


def shared(key: Hashable, build: Callable[[], Any]) -> Any:
    """The living object of that key, or a new one. `key` must name everything that decides the object."""
    found = _LIVING.get(key)
    if found is None:
        found = _LIVING[key] = build()
    return found
