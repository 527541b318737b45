"""`dalr-bench doctor`: is everything here that is needed, and what to do where it is not."""

from __future__ import annotations

import json

import click

_EXAMPLE = """\b
Examples:
  dalr-bench doctor
  dalr-bench doctor --json"""


@click.command("doctor", short_help="Look for what is missing or broken on this machine.", epilog=_EXAMPLE)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def command(as_json: bool) -> int:
    """Look at versions, devices, torchvision, plugins, optional extras, compiler, caches, disk, hub and data.

    Exit code 0: nothing is broken; 3: a plugin or a library is; 4: a folder or the disk is. A note is no fault.
    """
    from dataclasses import asdict

    from dalr_bench.checkup import checkup
    from dalr_bench.errors import EXIT_DATA, EXIT_DONE, EXIT_PLUGIN

    found = checkup()
    broken = [item.name for item in found if item.state == "broken"]
    if as_json:
        click.echo(json.dumps({"found": [asdict(item) for item in found], "broken": len(broken)}, indent=2))
    else:
        for item in found:
            click.echo(f"{item.state:<7} {item.name:<22} {item.what}")
            if item.fix:
                click.echo(f"{'':<31}fix: {item.fix}")
    if not broken:
        return EXIT_DONE
    return EXIT_DATA if set(broken) <= {"cache", "disk", "data"} else EXIT_PLUGIN
