"""The page about publication is run: its suite, then its commands, in their order."""

from __future__ import annotations

from pathlib import Path

import pytest
from pages import ROOT, blocks, lines_of, run_line

from dalr_bench.plugin.manager import load

PAGE = ROOT / "docs" / "publish.md"


def test_suite_and_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorboard", reason="the page follows a run with it")
    monkeypatch.setenv("DALR_BENCH_CACHE", str(tmp_path / "cache"))
    (suite,) = blocks(PAGE, "yaml")
    (tmp_path / "mine.yaml").write_text(suite.body)
    lines = [line for block in blocks(PAGE, "bash") for line in lines_of(block)]
    assert [line.split()[1] for line in lines] == ["run", "export", "bundle", "run"]
    done = [run_line(line, tmp_path) for line in lines]
    assert [one.code for one in done] == [0, 0, 0, 0], [one.err for one in done]
    assert "the same weights; all 7 scores equal the bundle's" in done[-1].err
    assert len(list((tmp_path / "runs" / "mine").glob("*/events.*"))) == 2
    assert (tmp_path / "models" / "margin" / "README.md").is_file()


def test_every_option_of_the_trackers_is_on_the_page() -> None:
    catalogue = load().catalogue
    extra = "pip install 'dalr-bench["
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| `") and extra in line]
    rows = {line.split("`")[1]: line for line in lines}
    assert sorted(rows) == catalogue.names("tracker")
    for name, row in rows.items():
        options = catalogue.get("tracker", name).schema.model_fields
        assert all(f"`{option}`" in row for option in options), name
