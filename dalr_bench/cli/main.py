"""The command `dalr-bench`: one command a file in this folder, each loaded only when it is asked for."""

from __future__ import annotations

import importlib
import pkgutil
import sys
import warnings
from contextlib import suppress
from typing import Any

import click

from dalr_bench import cli, stopping
from dalr_bench.cli import streams
from dalr_bench.errors import EXIT_INTERRUPTED, EXIT_SOME_FAILED, RenamedWarning, UserError, nearest


class Commands(click.Group):
    """Commands are the modules of this folder (object `command`), and what plugins register by `register_commands`."""

    def make_context(self, *given: Any, **more: Any) -> click.Context:
        with streams.read_by_someone():
            return super().make_context(*given, **more)

    def invoke(self, ctx: click.Context) -> Any:
        with streams.read_by_someone():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*_own(), *_strangers()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _own() or cmd_name in _HIDDEN:
            command: click.Command = importlib.import_module(f"{cli.__name__}.{cmd_name}").command
            return command
        return _strangers().get(cmd_name)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and self.get_command(ctx, args[0]) is None:
            raise click.UsageError(f"no command is called '{args[0]}'. {nearest(args[0], self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)


_HIDDEN = ("work",)
_NO_COMMANDS = ("main", "numbers", "said", "show", "streams")


def _own() -> list[str]:
    names = [module.name for module in pkgutil.iter_modules(cli.__path__)]
    return sorted(name for name in names if name not in (*_NO_COMMANDS, *_HIDDEN))


def _strangers() -> dict[str, click.Command]:
    """Commands of other distributions. Ours holds none, so it is not imported: `--help` stays instant."""
    from importlib.metadata import entry_points

    if not [entry for entry in entry_points(group="dalr_bench") if entry.name != "dalr_bench_plugins"]:
        return {}
    from dalr_bench.plugin.manager import load

    catalogue = load(frozenset({"command"})).catalogue
    return {item.name: item.factory() for item in catalogue if item.kind == "command"}


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Example: dalr-bench run suites/ablation.yaml --smoke",
)
@click.option("--debug", is_flag=True, help="Show the traceback of a fault (anywhere on the line).")
@click.version_option(package_name="dalr-bench")
def entry(debug: bool) -> None:
    """Ablations of sentence and multimodal representation learning: a YAML suite in, a paper's table out."""


def _tell_old_names() -> None:
    """A name a plugin has given up is told as one line on stderr, once."""
    shown = warnings.showwarning

    def show(message: Any, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, RenamedWarning):
            click.echo(f"warning: {message}", err=True)
        else:
            shown(message, category, *where, **more)

    warnings.showwarning = show
    warnings.simplefilter("once", RenamedWarning)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a user's fault is one line on stderr and its own exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    given = [argument for argument in given if argument != "--debug"]
    streams.open_all()
    stopping.listen()
    _tell_old_names()
    try:
        result = entry.main(given, prog_name="dalr-bench", standalone_mode=False)
        code = result if isinstance(result, int) else 0
    except (UserError, OSError, click.ClickException, click.Abort, KeyboardInterrupt) as error:
        if debug and isinstance(error, UserError | OSError):
            raise
        code = _code(error)
        with suppress(OSError):
            _tell(error)
    sys.exit(streams.flushed(code))


def _code(error: BaseException) -> int:
    match error:
        case UserError() | click.ClickException():
            return error.exit_code
        case OSError():
            return EXIT_SOME_FAILED
        case _:
            return EXIT_INTERRUPTED


def _tell(error: BaseException) -> None:
    match error:
        case UserError():
            click.echo("\n".join(f"error: {fault}" for fault in error.faults), err=True)
        case click.ClickException():
            error.show()
        case OSError():
            # A full disk, a folder that may not be written: for the user to mend, so it is told in one line.
            click.echo(f"error: {error.filename or 'the system'}: {error.strerror or error}", err=True)
        case _:
            click.echo("interrupted: what was done is kept", err=True)
