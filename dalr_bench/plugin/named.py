"""Components named on the command line: `NAME` or `NAME:key=value,key=value`."""

from __future__ import annotations

import json
from typing import Any

from dalr_bench.errors import Fault, SuiteError
from dalr_bench.plugin.registry import Catalogue
from dalr_bench.types import Kind, Part


def parse(text: str, option: str) -> Part:
    """`wandb:project=mine,mode=offline` → the part. Values are JSON where they read as such, else text.

    Raises SuiteError for a malformed text, naming the command line's `option`.
    """
    name, _, rest = text.partition(":")
    options: dict[str, Any] = {}
    for item in filter(None, rest.split(",")):
        key, mark, value = item.partition("=")
        if not mark or not key.strip():
            raise SuiteError(f"{option} {text}: expected NAME or NAME:key=value,key=value")
        try:
            options[key.strip()] = json.loads(value)
        except ValueError:
            options[key.strip()] = value
    return Part(name.strip(), options)


def named(catalogue: Catalogue, kind: Kind, text: str) -> Part:
    """The part that `--KIND TEXT` names, known to fit what is installed.

    Raises SuiteError for a malformed text or a wrong option, PluginError where no component of the kind is called that.
    """
    part = parse(text, f"--{kind}")
    catalogue.get(kind, part.name)
    wrong = catalogue.validate(kind, part)[1]
    if wrong:
        raise SuiteError([Fault(what, path=f"--{kind} {part.name}.{path}") for path, what in wrong])
    return part
