from __future__ import annotations

import re
from pathlib import Path

from dalr_bench.errors import counted

CORE = Path(__file__).parents[1] / "dalr_bench"
COUNTED = re.compile(r"\{(?!counted\()[^{}]*\} (cells|runs|seeds|stores|tasks|pictures|examples|pairs|components|steps|rounds|threads)\b")


def test_a_number_with_its_noun() -> None:
    assert [counted(n, "run") for n in (0, 1, 2)] == ["0 runs", "1 run", "2 runs"]
    assert counted(1200, "example", ",") == "1,200 examples"


def test_no_command_says_one_runs() -> None:
    """What commands print writes numbers with their nouns by `counted`, or not at all."""
    files = [*(CORE / "cli").rglob("*.py"), *(CORE / "growth").glob("*.py"), *(CORE / "racing").glob("*.py"), CORE / "checkup.py"]
    lines = [(path.name, line) for path in files for line in path.read_text().splitlines()]
    assert COUNTED.search('f"{len(runs)} runs"')
    assert not COUNTED.search("f\"{counted(len(runs), 'run')}\"")
    assert sum("counted(" in line for _, line in lines) > 15
    assert not [found for found in lines if COUNTED.search(found[1]) or re.search(r"\w\(s\)[ ,.\"]", found[1])]
