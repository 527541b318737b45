"""Readers that leave, streams that are closed, a full disk behind `>`: the command's own exit code, and no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from result_samples import write

TINY = Path(__file__).parents[1] / "suites" / "tiny.yaml"
SAID = [
    ("--help",),
    ("table", "pets"),
    ("status", "pets", "--json"),
    ("plan", str(TINY)),
    ("plugins", "infonce"),
    ("cache", "list"),
]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    write(tmp_path / "pets")
    return tmp_path


def shell(here: Path, words: tuple[str, ...], rest: str) -> tuple[int, str]:
    """The exit code of the command itself, and what it says on stderr; `rest` is what the shell does with its output."""
    line = f'{{ "$0" -m dalr_bench "$@"; echo $? > code; }} {rest}'
    done = subprocess.run(
        ["bash", "-c", line, sys.executable, *words], cwd=here, capture_output=True, text=True, check=False
    )
    return int((here / "code").read_text()), done.stderr


@pytest.mark.parametrize("words", SAID, ids=" ".join)
def test_a_reader_that_left_is_no_fault(here: Path, words: tuple[str, ...]) -> None:
    assert shell(here, words, "| true") == (0, "")


@pytest.mark.parametrize("words", [SAID[0], SAID[1]], ids=" ".join)
def test_a_stream_that_was_closed_leads_nowhere(here: Path, words: tuple[str, ...]) -> None:
    assert shell(here, words, ">&-") == (0, "")
    assert shell(here, ("status", "nowhere"), "2>&-") == (4, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("words", [SAID[0], SAID[1]], ids=" ".join)
def test_a_disk_that_is_full_is_told(here: Path, words: tuple[str, ...]) -> None:
    assert shell(here, words, "> /dev/full") == (1, "error: the system: No space left on device\n")


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_what_a_terminal_cannot_show_is_told_by_number(here: Path, encoding: str) -> None:
    """`–` is in no 8-bit alphabet of ISO, and half a character of a file's name in none at all."""
    said = subprocess.run(
        ["bash", "-c", '"$0" -m dalr_bench table pets; "$0" -m dalr_bench table $\'pets/\\xfc\'', sys.executable],
        cwd=here, env=os.environ | {"PYTHONIOENCODING": encoding}, capture_output=True, check=False,
    )  # fmt: skip
    assert ("–" if encoding == "utf-8" else r"\u2013") in said.stdout.decode(encoding)
    assert said.stderr.decode(encoding).startswith(r"error: pets/\udcfc: there is no such results folder")
    assert b"Traceback" not in said.stderr


def test_runs_go_on_when_nobody_reads_how(here: Path) -> None:
    """Not even a failure: rich would end the process by SystemExit, inside of a run."""
    words = ("run", str(TINY), "--only", "baseline", "--executor", "inline")
    assert shell(here, words, "2>&1 | true")[0] == 0
    records = list((here / "results" / "tiny").glob("*/record.json"))
    assert len(records) == 3
    assert all('"status": "done"' in path.read_text() for path in records)
    failing = here / "failing.yaml"
    failing.write_text(TINY.read_text().replace("train.steps: 2}", "train.steps: 2, train.lr: 1e38}"))
    again = ("run", "failing.yaml", "--only", "ranked", "--executor", "inline")
    assert shell(here, again, "| true")[0] == 5, "how the runs ended is not lost with the table"


def test_what_a_library_prints_never_ends_in_a_file_of_ours(here: Path) -> None:
    """With stdout closed the first file that is opened would get its number."""
    (here / "x").write_text("")
    code = (
        "import os, sys; from dalr_bench.cli.streams import open_all; open_all(); number = open('x').fileno()\n"
        "sys.exit(number < 3 or os.fstat(1).st_rdev != os.stat(os.devnull).st_rdev)"
    )
    done = subprocess.run(["bash", "-c", '"$0" -c "$1" >&- 2>&- <&-', sys.executable, code], cwd=here, check=False)
    assert done.returncode == 0
