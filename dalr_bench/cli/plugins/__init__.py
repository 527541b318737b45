"""`dalr-bench plugins`: what is registered and by whom; `new` starts a plugin, `check` holds one to the contract."""

from __future__ import annotations

import importlib
from typing import Any

import click

_EXAMPLE = """\b
Examples:
  dalr-bench plugins
  dalr-bench plugins NAME --json
  dalr-bench plugins --origin
  dalr-bench plugins new teacher word-length
  dalr-bench plugins check word-length"""


class _Plugins(click.Group):
    """A first word that is no command is the NAME of a component to show. Each command is a module, loaded when asked for."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        known = [*self.list_commands(ctx), *ctx.help_option_names]
        return super().parse_args(ctx, args if args and args[0] in known else ["show", *args])

    def list_commands(self, ctx: click.Context) -> list[str]:
        return ["new", "check"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        # What is no command is the name of a component, or an option: both are for the one that shows.
        module = cmd_name if cmd_name in self.list_commands(ctx) else "show"
        found: click.Command = importlib.import_module(f"{__name__}.{module}").command
        return found

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for line in ("[NAME] [--json] [--origin]", "new KIND NAME [OPTIONS]", "check [NAME]... [OPTIONS]"):
            formatter.write_usage(ctx.command_path, line)


@click.command("plugins", short_help="List, show, write and check components.", cls=_Plugins, epilog=_EXAMPLE)
def command() -> None:
    """List the registered components, or show one: its purpose, options, types, defaults and bounds.

    --json prints one JSON document. --origin lists the installed plugins and where they come from without running any of
    their code. A component that is called like a command is shown as kind/name.
    """


def __getattr__(name: str) -> Any:
    """`describe`, `listing` and `page` of the command that shows."""
    return getattr(importlib.import_module(f"{__name__}.show"), name)
