"""The pages of docs/reference that are made from the code: commands, suite keys, components, hooks.

    python tools/make_reference.py          write them

tests/test_reference.py makes them again and compares them whole, so they cannot drift.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import json
import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel

from dalr_bench.cli.main import entry
from dalr_bench.cli.plugins import describe
from dalr_bench.config import LossOptions, TrainOptions
from dalr_bench.plugin.manager import load
from dalr_bench.plugin.registry import Component
from dalr_bench.plugin.spec import Hooks
from dalr_bench.suite.keys import BASE, TOP

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"
MADE = "<!-- Made by tools/make_reference.py: change the code it describes, not this page. -->"
KINDS = {
    "backbone": ("Backbones", "The student, and floors that need no training. In a suite: `base.backbone`."),
    "source": ("Sources", "Where sentences and pictures come from. In a suite: `base.streams.LABEL`."),
    "teacher": (
        "Teachers",
        "Frozen encoders whose rows are stored once for the whole grid. In a suite: `base.teachers.LABEL`.",
    ),
    "loss": (
        "Losses",
        "The terms of the objective. In a suite: `base.losses.LABEL`, with `weight` and `on` beside the options.",
    ),
    "evaluator": (
        "Evaluators",
        "What scores a trained student. In a suite: a list at `base.evaluate`, and `base.train.dev`.",
    ),
    "executor": ("Executors", "Where the runs of a grid are run: `dalr-bench run --executor NAME`."),
    "tracker": ("Trackers", "Who is told of a run while it goes on: `dalr-bench run --tracker NAME`."),
    "template": ("Table formats", "Formats of `dalr-bench table --format NAME` beside those of the core."),
}


# ------------------------------------------------------------------ text
def cell(text: str) -> str:
    """Text as a cell of a table: one line, no bar that would end it."""
    return " ".join(text.split()).replace("|", "\\|")


def prose(text: str) -> str:
    """A docstring as Markdown: what is between backticks stays, signs that Markdown would take for its own are escaped,
    lines indented by four are a block of text."""
    paragraphs = re.split(r"\n\s*\n", text.strip())
    return "\n\n".join(_block(paragraph) for paragraph in paragraphs if paragraph)


def _block(paragraph: str) -> str:
    if all(line.startswith("    ") for line in paragraph.splitlines()):
        return f"```text\n{textwrap.dedent(paragraph)}\n```"
    # A list needs a line of its own before it.
    paragraph = re.sub(r"(\A|\n)((?!\* )\S[^\n]*)\n(?=\* )", r"\1\2\n\n", paragraph)
    parts = re.split(r"(`[^`]*`)", paragraph)
    return "".join(part if part.startswith("`") else _escaped(part) for part in parts)


def _escaped(text: str) -> str:
    """Emphasis starts or ends at the edge of a word, a link is `[...](`; within words and alone these signs are harmless."""
    text = re.sub(r"(?<![\w*])\*(?=\S)|(?<!\w)_(?=\w)|(?<=\S)_(?!\w)|\](?=\()", r"\\\g<0>", text)
    return text.replace("<", "&lt;")


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


# ------------------------------------------------------------------ commands
def commands() -> str:
    """Every command with its arguments, options, defaults and example."""
    out = ["# Commands", MADE, "<!-- run by: tests/test_reference.py -->"]
    out.append("`dalr-bench COMMAND --help` prints the same. Exit codes: [here](exit-codes.md).")
    for path, command in walk(entry, ("dalr-bench",)):
        out += _command(path, command)
    return _page(out)


def walk(group: click.Group, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """The command line itself, then its commands and theirs, strangers' left out."""
    yield path, group
    context = click.Context(group, info_name=path[-1])
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if not (command.callback or command).__module__.startswith(("dalr_bench.", "click.")):
            continue
        if isinstance(command, click.Group):
            yield from walk(command, (*path, name))
        else:
            yield (*path, name), command


def _command(path: tuple[str, ...], command: click.Command) -> list[str]:
    context = click.Context(command, info_name=" ".join(path), help_option_names=["-h", "--help"])
    usage = re.sub("^Usage: ", "", context.get_usage(), flags=re.MULTILINE)
    out = [f"## {' '.join(path)}", f"```text\n{usage}\n```"]
    out.append(prose(inspect.cleandoc(command.help or "")))
    options = [_option(item, context) for item in options_of(command) if isinstance(item, click.Option)]
    if options:
        out.append(table(("option", "what", "default"), options))
    found = examples(command)
    return [*out, "```bash\n" + "\n".join(found) + "\n```"] if found else out


def options_of(command: click.Command) -> list[click.Parameter]:
    """A command's parameters; of `plugins`, whose first word may be a component, those of the command that shows one."""
    if isinstance(command, click.Group) and command.name == "plugins":
        shows = command.get_command(click.Context(command), "show")
        return [*command.params, *(shows.params if shows else [])]
    return command.params


def examples(command: click.Command) -> list[str]:
    """The lines of a command's epilog that are commands."""
    lines = (command.epilog or "").splitlines()
    return [found[0].strip() for line in lines if (found := re.search(r"dalr-bench .*", line))]


def _option(option: click.Option, context: click.Context) -> tuple[str, str, str]:
    flags = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    about = " ".join([cell(prose(option.help or "")), *_conditions(option)])
    return f"{flags}{_argument(option, context)}", about, _default(option)


def _argument(option: click.Option, context: click.Context) -> str:
    """What follows an option: its choices, or the word the help page has for it."""
    if option.is_flag:
        return ""
    if isinstance(option.type, click.Choice):
        return " " + " or ".join(f"`{choice}`" for choice in option.type.choices)
    if option.metavar is None and isinstance(option.type, click.types.IntParamType):
        return " `N`"
    return " " + cell(f"`{option.make_metavar(context).rstrip('.')}`").replace("\\|", "` or `")


def _conditions(option: click.Option) -> list[str]:
    words = []
    if isinstance(option.type, click.IntRange):
        words += [f"From {option.type.min}{'' if option.type.max is None else f' to {option.type.max}'}."]
    if option.multiple:
        words += ["May be given more than once."]
    return [*words, "Required."] if option.required else words


def _default(option: click.Option) -> str:
    value = option.default
    if option.is_flag or option.multiple or value is None or not isinstance(value, str | int | float | Path):
        return ""
    return f"`{value}`"


# ------------------------------------------------------------------ suite keys
def suite_keys() -> str:
    """The fixed keys of a suite. Components' own options are on their pages."""
    out = ["# Suite keys", MADE, "What is not here is an option of a component: [components](components/index.md)."]
    out.append("[How to write a suite](../how-to/write-a-suite.md) shows them at work.")
    out += ["## At the top", table(("key", "what"), [(f"`{key}`", cell(prose(what))) for key, what in TOP.items()])]
    out += ["## In `base`", table(("key", "what"), [(f"`{key}`", cell(prose(what))) for key, what in BASE.items()])]
    out += ["## In `train`", prose(inspect.cleandoc(TrainOptions.__doc__ or "")), fields(TrainOptions)]
    out += ["## In every loss", "Beside the loss's own options:", fields(LossOptions)]
    return _page(out)


def fields(model: type[BaseModel]) -> str:
    """A model's keys with type, default, bounds and what each is for."""
    # A closed model is a schema like a component's: read by the same eyes.
    said = descriptions(model)
    like = Component("loss", model.__name__, model, "", "", model, frozenset(), {})
    rows = [
        (
            f"`{option['name']}`",
            _kind(option["type"], option["bounds"]),
            _value(option["default"]),
            cell(prose(said[option["name"]])),
        )
        for option in describe(like)["options"]
    ]
    return table(("key", "type", "default", "what"), rows)


def descriptions(model: type[BaseModel]) -> dict[str, str]:
    """The string below each key of a model, from its source: reading sources at run time would wake deferred imports."""
    body = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0].body
    return {
        key.target.id: inspect.cleandoc(below.value.value)
        for key, below in itertools.pairwise(body)
        if isinstance(key, ast.AnnAssign) and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
    }


def _kind(written: str, bounds: str) -> str:
    shown = " or ".join(f"`{part}`" for part in re.split(r" \| (?![^\[]*\])", written))
    return cell(f"{shown}; {bounds}" if bounds else shown)


def _value(value: Any) -> str:
    return "" if value is None else f"`{json.dumps(value, ensure_ascii=False)}`"


# ------------------------------------------------------------------ components
def component_pages() -> dict[str, str]:
    """A page a kind, and the list of all."""
    own = [item for item in load().catalogue if item.distribution == "dalr-bench" and item.kind in KINDS]
    kinds = {kind: [item for item in own if item.kind == kind] for kind in KINDS}
    shown = {kind: items for kind, items in kinds.items() if items}
    pages = {f"components/{_file(kind)}": _kind_page(kind, items) for kind, items in shown.items()}
    return {"components/index.md": _index(shown), **pages}


def _file(kind: str) -> str:
    return f"{'losses' if kind == 'loss' else f'{kind}s'}.md"


def _index(shown: dict[str, list[Component]]) -> str:
    out = [
        "# Components",
        MADE,
        "What a suite can name. `dalr-bench plugins` lists these and what other distributions add.",
    ]
    for kind, items in shown.items():
        rows = [(f"[{item.name}]({_file(kind)}#{item.name})", cell(prose(item.summary))) for item in items]
        out += [f"## {KINDS[kind][0]}", table(("name", "what"), rows)]
    return _page(out)


def _kind_page(kind: str, items: list[Component]) -> str:
    title, about = KINDS[kind]
    out = [f"# {title}", MADE, about]
    if kind == "loss":
        out += ["Every loss also has:", fields(LossOptions)]
    for item in items:
        out += _component(item)
    return _page(out)


def _component(item: Component) -> list[str]:
    about = describe(item)
    out = [f"## {item.name}", prose(inspect.getdoc(item.factory) or "")]
    rows = [_component_option(option) for option in about["options"]]
    out.append(table(("option", "type", "default"), rows) if rows else "It has no options.")
    if about["injected"]:
        out.append(f"Given by the harness: {', '.join(f'`{name}`' for name in about['injected'])}.")
    return [*out, f"Code: `{about['source']}`"]


def _component_option(option: dict[str, Any]) -> tuple[str, str, str]:
    kind = _kind(option["type"], option["bounds"])
    if option["refers"]:
        kind += f"; a label of the suite's `{option['refers']}`"
    return f"`{option['name']}`", kind, "required" if option["required"] else f"`{json.dumps(option['default'])}`"


# ------------------------------------------------------------------ hooks
def hooks() -> str:
    """Every hook, its signature and what it is for."""
    out = ["# Hooks", MADE, prose(inspect.cleandoc(inspect.getmodule(Hooks).__doc__ or ""))]
    for name, hook in vars(Hooks).items():
        if not name.startswith("_"):
            out += [f"## {name}", f"```text\n{name}({_parameters(hook)})\n```", prose(inspect.getdoc(hook) or "")]
    return _page(out)


def _parameters(hook: Callable[..., Any]) -> str:
    given = [item for item in inspect.signature(hook).parameters.values() if item.name != "self"]
    return ", ".join(f"{item.name}: {item.annotation}" for item in given)


def _page(parts: list[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"


def pages() -> dict[str, str]:
    """Every made page by its path under docs/reference."""
    return {"commands.md": commands(), "suite-keys.md": suite_keys(), "hooks.md": hooks(), **component_pages()}


if __name__ == "__main__":
    for name, text in pages().items():
        target = REFERENCE / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
