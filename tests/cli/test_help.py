"""Who reads `--help` alone: every command says in a whole line what it is for, at any width, and shows an example."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from dalr_bench.cli.main import entry


def commands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], click.Command]]:
    found: list[tuple[tuple[str, ...], click.Command]] = [(path, group)]
    for name in group.list_commands(click.Context(group)):
        child = group.get_command(click.Context(group), name)
        assert child is not None
        found += commands(child, (*path, name)) if isinstance(child, click.Group) else [((*path, name), child)]
    return found


ALL = commands(entry)


@pytest.mark.parametrize("path", [path for path, command in ALL if isinstance(command, click.Group)], ids=" ".join)
@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_of_a_list_is_cut(path: tuple[str, ...], width: int) -> None:
    shown = CliRunner().invoke(entry, [*path, "--help"], terminal_width=width).stdout
    listed = shown[shown.index("Commands:") :]
    assert "..." not in listed
    if width == 80:
        rows = listed.splitlines()[1:]
        assert all(row.endswith(".") for row in rows[: rows.index("")])  # one line each


@pytest.mark.parametrize("path", [path for path, _ in ALL], ids=" ".join)
def test_every_command_shows_an_example(path: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(entry, [*path, "--help"]).stdout
    assert "Example" in shown
    assert f"dalr-bench {' '.join(path)}" in shown[shown.index("Example") :]
