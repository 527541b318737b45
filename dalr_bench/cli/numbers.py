"""Numbers on the command line."""

from __future__ import annotations

from typing import Any

import click


class Number(click.FloatRange):
    """A number within bounds. `nan` is within none: click's own comparison lets it pass."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = super().convert(value, param, ctx)
        if found != found:
            self.fail(f"{value!r} is not a number that can be used.", param, ctx)
        return found
