"""The tutorials to the letter: from an empty folder, every file written and every line run, in the order of the page.

Only how an environment comes to be differs: the page's own lines make one and fetch dalr-bench; here the same command makes
one that sees this checkout, and nothing is fetched.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fresh_venv import fresh_venv
from pages import ROOT, blocks, lines_of

SET_UP = ["python -m venv .venv", ". .venv/bin/activate", "pip install dalr-bench pytest"]
PAGES = {"own-teacher.md": ("word-length", "rank"), "own-loss.md": ("even-lengths", "even")}


@pytest.mark.parametrize("name", PAGES)
def test_a_tutorial_to_the_letter(
    name: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One cache for both pages: the native steps are compiled once.
    monkeypatch.setenv("DALR_BENCH_CACHE", str(tmp_path_factory.getbasetemp() / "tutorials-cache"))
    page = blocks(ROOT / "docs" / "tutorials" / name)
    assert lines_of(page[0]) == SET_UP
    venv = fresh_venv(tmp_path / ".venv")
    ran = []
    for block in page[1:]:
        if block.title:
            (tmp_path / block.title).write_text(block.body)
            continue
        assert block.language == "bash", block.where
        for line in lines_of(block):
            done = venv.run(*line.split(), cwd=tmp_path)
            assert done.returncode == 0, f"{block.where} {line}\n{done.stdout}{done.stderr}"
            ran.append((line, done.stdout))
    plugin, term = PAGES[name]
    said = dict(ran)
    assert "0 broken" in said[f"dalr-bench plugins check {plugin}"]
    assert "| +" in said["dalr-bench table results/mine --format markdown"]
    steps = [path.read_text().splitlines()[-1] for path in (tmp_path / "results").rglob("steps.jsonl")]
    assert sum(term in json.loads(line) for line in steps) == 2
