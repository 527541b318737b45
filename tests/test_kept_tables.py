"""Tables under docs/ are what the code makes of the kept results, letter for letter. DALR_BENCH_GOLDEN=write renews them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from dalr_bench.cli.table import command

ROOT = Path(__file__).resolve().parent.parent
KEPT = sorted((ROOT / "docs" / "tables").glob("*.jsonl"))
FORMATS = {
    "terminal": "txt",
    "markdown": "md",
    "latex": "tex",
    "html": "html",
    "csv": "csv",
    "json": "json",
    "typst": "typ",
}
Gain = tuple[float, float]
OPTIONS = {"ablation": ["--baseline", "baseline"]}


def unpacked(kept: Path, folder: Path) -> Path:
    """The results folder a kept file stands for."""
    summary, *records = (json.loads(line) for line in kept.read_text().splitlines())
    results = folder / summary["suite"]
    results.mkdir(parents=True)
    (results / "suite.json").write_text(json.dumps(summary))
    for record in records:
        (results / record["run_id"]).mkdir()
        (results / record["run_id"] / "record.json").write_text(json.dumps(record))
    return results


def rendered(results: Path, format_: str, options: list[str]) -> str:
    done = CliRunner().invoke(command, [str(results), "--format", format_, *options], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def test_there_are_kept_results() -> None:
    assert "ablation" in {path.stem for path in KEPT}


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("kept", KEPT, ids=lambda path: path.stem)
def test_the_page_is_what_the_code_makes(kept: Path, format_: str, tmp_path: Path) -> None:
    made = rendered(unpacked(kept, tmp_path), format_, OPTIONS.get(kept.stem, []))
    page = kept.with_suffix(f".{FORMATS[format_]}")
    if os.environ.get("DALR_BENCH_GOLDEN") == "write":
        page.write_text(made)
    assert page.read_text() == made


def test_the_readme_shows_the_ablation_and_its_machine(tmp_path: Path) -> None:
    kept = next(path for path in KEPT if path.stem == "ablation")
    made = rendered(unpacked(kept, tmp_path), "markdown", [])
    readme = ROOT / "README.md"
    marked = re.compile(r"(<!-- ablation-table -->\n).*?(<!-- /ablation-table -->)", re.DOTALL)
    if os.environ.get("DALR_BENCH_GOLDEN") == "write":
        text = marked.sub(lambda found: f"{found.group(1)}\n{made}\n{found.group(2)}", readme.read_text())
        readme.write_text(text)
    found = marked.search(readme.read_text())
    assert found is not None
    assert made.strip() in found.group(0)


def test_the_readmes_sentence_says_what_the_main_table_says() -> None:
    """Gains on Scenes-STS over the baseline, mean and deviation over seeds."""
    table = json.loads((ROOT / "docs" / "tables" / "ablation.json").read_text())
    gains = {(row["group"], row["name"]): row["cells"]["Scenes-STS"]["delta"] for row in table["rows"]}

    def said(name: str, choose: Callable[[list[Gain]], Gain], image_text: bool | None) -> str:
        chosen = [gain for (group, row), gain in gains.items() if row == name and image_text in (None, "image-text" in group)]
        mean, deviation = choose([(gain["mean"], gain["std"]) for gain in chosen])
        return f"{round(mean)} ±{round(deviation)}".replace("-", "−")  # no negative zero

    readme = " ".join((ROOT / "README.md").read_text().split())
    assert f"IML gains {said('+IML', max, True)} points over the baseline with the image-text teacher's text side" in readme
    assert f"with text teachers {said('+IML', min, False)} to {said('+IML', max, False)}; CML gains nothing beyond noise" in readme
    assert f"(between {said('+CML', min, None)} and {said('+CML', max, None)})" in readme
