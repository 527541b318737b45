"""The pages are run: commands, suites and plugins of README and docs/ are executed, links are followed."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "results" / "README.md"]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def commands(page: Path) -> list[str]:
    lines = [line.partition("  #")[0].strip() for block in blocks(page, "bash") for line in block.splitlines()]
    return [line for line in lines if line.startswith("dalr-bench ")]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like a checkout, in which the pages' commands run; the smoke results they look at are made by the first."""
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "suites").symlink_to(ROOT / "suites")
    return folder


def call(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "dalr_bench", *shlex.split(line)[1:]]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)


def test_the_everyday_commands_of_the_readme_run(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DALR_BENCH_CACHE", str(workplace / "cache"))
    lines = commands(ROOT / "README.md")
    assert len(lines) >= 6
    assert lines[0].endswith("--smoke")
    for line in lines:
        done = call(line, workplace)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        assert done.stdout.strip(), line


def test_the_main_job_and_the_tests_are_one_line_each() -> None:
    first, second = (block.strip() for block in blocks(ROOT / "README.md", "bash")[:2])
    assert first.startswith("python3 -m venv .venv && .venv/bin/pip install -e . &&")
    assert first.endswith("dalr-bench run suites/ablation.yaml")
    assert second.endswith("nox -s tests")
    assert "\n" not in first + second


def test_the_suite_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DALR_BENCH_CACHE", str(tmp_path / "cache"))
    (suite,) = blocks(ROOT / "README.md", "yaml")
    (tmp_path / "mine.yaml").write_text(suite)
    done = call("dalr-bench run mine.yaml --executor inline", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "+margin" in done.stdout


def test_the_plugin_of_the_readme_is_a_teacher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's file and its entry point, installed as a distribution beside ours, rank sentences in a suite."""
    (code,) = blocks(ROOT / "README.md", "python")
    (entry,) = blocks(ROOT / "README.md", "toml")
    (tmp_path / "word_length.py").write_text(code)
    info = tmp_path / "word_length-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: word-length\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        entry.replace("project.entry-points.dalr_bench", "dalr_bench").replace('"', "")
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("DALR_BENCH_CACHE", str(tmp_path / "cache"))
    listed = call("dalr-bench plugins word_length", tmp_path)
    assert "word-length 1.0" in listed.stdout, listed.stderr
    (suite,) = blocks(ROOT / "README.md", "yaml")
    ranked = "  +rank: {teachers.words: {name: word_length}, losses.rank: {name: listmle, teacher: words}}\n"
    (tmp_path / "mine.yaml").write_text(suite + ranked)
    done = call("dalr-bench run mine.yaml --executor inline --only +rank --seed 0", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "+rank" in done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        assert target.startswith(("http://", "https://")) or (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_smoke_run_leaves_nothing_behind(workplace: Path) -> None:
    left = [
        path
        for path in (workplace / "results").rglob("*")
        if path.name.endswith((".part", ".tmp")) or path.name == "running.json"
    ]
    assert not left
    shutil.rmtree(workplace / "cache", ignore_errors=True)
