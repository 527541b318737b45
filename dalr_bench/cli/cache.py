"""`dalr-bench cache`: what the cache folder holds, kept within bounds, and checked."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import click

from dalr_bench.cli.numbers import Number
from dalr_bench.errors import EXIT_DATA, EXIT_DONE, EXIT_SOME_FAILED, counted

if TYPE_CHECKING:
    from dalr_bench.caches import Pruned, Stored

_EXAMPLE = """\b
Examples:
  dalr-bench cache list
  dalr-bench cache prune --to 20GB
  dalr-bench cache verify"""
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")


@click.group("cache", short_help="List, shrink and check what runs share.", epilog=_EXAMPLE)
def command() -> None:
    """Stores of tokens, pictures and teachers' rows that runs share: list them, keep them small, check them.

    They are under DALR_BENCH_CACHE. DALR_BENCH_CACHE_SIZE (20GB) bounds them: whoever writes a store then removes those
    unused longest. Whatever is removed is made again when a run wants it.
    """


@command.command("list", short_help="Every store, its size and when it was last used.", epilog="Example: dalr-bench cache list")
@_JSON
def listed(as_json: bool) -> None:
    """Every store: size, days since it was last used, whether a process has it open, what made it."""
    from dalr_bench.caches import stored

    found = stored()
    if as_json:
        click.echo(json.dumps({"bytes": sum(each.bytes for each in found), "stores": [_json(each) for each in found]}, indent=2))
        return
    for each in found:
        click.echo(_line(each))
    click.echo(f"{counted(len(found), 'store')}, {sum(each.bytes for each in found) / 1e6:.1f} MB")


@command.command("prune", short_help="Remove stores, the longest unused first.", epilog="Example: dalr-bench cache prune --to 20GB")
@click.option("--to", metavar="SIZE", help="Leave no more than this (20GB). Default: DALR_BENCH_CACHE_SIZE, else everything goes.")
@click.option("--older-than", type=Number(min=0), metavar="DAYS", help="Only what was not used for so long.")
@_JSON
def pruned(to: str | None, older_than: float | None, as_json: bool) -> int:
    """Remove stores, the longest unused first. What a living process has open stays. Exit code 1: some could not be removed."""
    from dalr_bench.caches import bound, prune, size_of

    limit = size_of(to, "--to") if to else bound()
    if limit is None:
        limit = 0 if older_than is None else 1 << 62
    done = prune(limit, None if older_than is None else older_than * 86400)
    size = sum(each.bytes for each in done.removed)
    if as_json:
        failed = {name: error.strerror for name, error in done.failed.items()}
        click.echo(json.dumps({"bytes": size, "removed": [_json(each) for each in done.removed], "failed": failed}, indent=2))
    else:
        for each in done.removed:
            click.echo(f"removed {_line(each)}")
        click.echo(f"{counted(len(done.removed), 'store')} removed, {size / 1e6:.1f} MB" + _left(done))
    return _told(done)


@command.command("verify", short_help="Check every file of every store.", epilog="Example: dalr-bench cache verify")
@click.option("--remove", "removing", is_flag=True, help="Remove what is damaged; it is made again when it is wanted.")
@_JSON
def verified(removing: bool, as_json: bool) -> int:
    """Check every file of every store against the sizes and hashes written with it. Exit code 4: something is damaged."""
    from dalr_bench.caches import Pruned, damage, stored

    found, gone = stored(), Pruned()
    bad = {each.name: list(what) for each in found if (what := list(damage(each)))}
    for each in found if removing else ():
        if each.name in bad:
            gone.remove(each)
    if as_json:
        click.echo(json.dumps({"stores": len(found), "damaged": bad}, indent=2))
    else:
        for name, what in bad.items():
            click.echo(f"damaged {name}: {'; '.join(what)}")
        click.echo(f"{counted(len(found), 'store')}, {len(bad)} damaged{_left(gone) or ' and removed' if removing and bad else ''}")
    _told(gone)
    return EXIT_DATA if bad else EXIT_DONE


def _left(done: Pruned) -> str:
    return f"; {len(done.failed)} could not be removed" if done.failed else ""


def _told(done: Pruned) -> int:
    """Which stores could not be removed, and why; the exit code."""
    for name, error in done.failed.items():
        click.echo(f"error: {name} cannot be removed: {error.strerror}", err=True)
    return EXIT_SOME_FAILED if done.failed else EXIT_DONE


def _json(each: Stored) -> dict[str, Any]:
    return {"name": each.name, "bytes": each.bytes, "used": each.used, "in_use": each.in_use, "made": each.made}


def _line(each: Stored) -> str:
    made = ", ".join(f"{key} {value}" for key, value in each.made.items() if isinstance(value, str | int | float))
    days = (time.time() - each.used) / 86400
    return f"{each.name}  {each.bytes / 1e6:.1f} MB  {days:.1f} days{'  in use' if each.in_use else ''}  {made}"
