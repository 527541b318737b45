"""Pages as what they are made of: fenced blocks with the marks before them, and a small shell that runs their lines.

A mark is a comment on the line before a block: `<!-- not run: REASON -->`, `<!-- slow: REASON -->` (run with --slow only),
`<!-- exit: N -->` (its last line leaves with N), `<!-- output -->` and `<!-- error -->` (the block is what the line before it
printed, `...` stands for anything). A block with `title="NAME"` is a file of that name in the folder the page is run in. A
page with `<!-- run by: tests/FILE.py -->` is run there.
"""

from __future__ import annotations

import contextlib
import fnmatch
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dalr_bench.cli.main import main

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[\w-]*) *(?P<rest>.*)$")
_MARK = re.compile(r"^<!-- (?P<kind>not run|slow|exit|output|error)(?:: (?P<about>.+))? -->$")


@dataclass(frozen=True)
class Block:
    """One fenced block: where, what, and how it is marked."""

    page: str
    line: int
    language: str
    title: str
    body: str
    mark: str = ""
    about: str = ""

    @property
    def where(self) -> str:
        """PAGE:LINE, for messages."""
        return f"{self.page}:{self.line}"


def name_of(page: Path) -> str:
    """A page by its path in the project."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str | None = None) -> list[Block]:
    """All blocks of a page, or those of one language."""
    return [block for block in _blocks(page) if language in (None, block.language)]


def _blocks(page: Path) -> Iterator[Block]:
    lines = page.read_text(encoding="utf-8").splitlines()
    number = 0
    while number < len(lines):
        opened = _FENCE.match(lines[number])
        if opened is None:
            number += 1
            continue
        indent = opened["indent"]
        end = next(i for i in range(number + 1, len(lines)) if lines[i].rstrip() == f"{indent}```")
        body = "".join(f"{line.removeprefix(indent)}\n" for line in lines[number + 1 : end])
        before = next((line.strip() for line in reversed(lines[:number]) if line.strip()), "")
        mark = _MARK.match(before)
        title = re.search(r'title="([^"]+)"', opened["rest"])
        yield Block(
            name_of(page),
            number + 1,
            opened["language"],
            title[1] if title else "",
            body,
            mark["kind"] if mark else "",
            (mark["about"] or "") if mark else "",
        )
        number = end + 1


def run_elsewhere(page: Path) -> str:
    """The test file that runs this page; empty where tests/test_docs.py does."""
    found = re.search(r"^<!-- run by: (\S+) -->$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else ""


def lines_of(block: Block) -> list[str]:
    """The commands of a bash block: comments dropped, lines that end in a backslash joined."""
    joined = block.body.replace("\\\n", " ")
    lines = [re.sub(r"(^|\s+)#( .*)?$", "", line).strip() for line in joined.splitlines()]
    return [" ".join(line.split()) if "'" not in line and '"' not in line else line for line in lines if line]


@dataclass(frozen=True)
class Done:
    """What a line did."""

    code: int
    out: str
    err: str


def run_line(line: str, folder: Path) -> Done:
    """Run one line in `folder`: a plain `dalr-bench` command in this process, anything else by bash."""
    words = shlex.split(line)
    if words[0] == "dalr-bench" and not set("|&;<>$`*?~") & set(re.sub(r"'[^']*'", "", line)):
        return _here(words[1:], folder)
    shim = folder / ".bin" / "dalr-bench"
    shim.parent.mkdir(exist_ok=True)
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m dalr_bench "$@"\n')
    shim.chmod(0o755)
    path = os.pathsep.join([str(shim.parent), str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", line],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": path},
    )
    return Done(done.returncode, done.stdout, done.stderr)


def _here(arguments: list[str], folder: Path) -> Done:
    """In this process: the libraries are imported once for all pages. A run trains here too, unless told otherwise."""
    if arguments[0] == "run" and "--executor" not in arguments:
        arguments = [*arguments, "--executor", "inline"]
    out, err, before = io.StringIO(), io.StringIO(), dict(os.environ)
    try:
        with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main(arguments)
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 0
    finally:
        os.environ.clear()
        os.environ.update(before)
    return Done(code, out.getvalue(), err.getvalue())


def matches(shown: str, printed: str) -> bool:
    """Whether a page's output is what was printed: line by line without trailing blanks, `...` for anything."""
    wanted = "\n".join(line.rstrip() for line in shown.strip().splitlines())
    got = "\n".join(line.rstrip() for line in printed.strip().splitlines())
    literal = re.sub(r"([\[\]*?])", r"[\1]", wanted).replace("...", "*")
    return fnmatch.fnmatchcase(got, literal)
