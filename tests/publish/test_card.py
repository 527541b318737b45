"""The model card says what was done; strangers' words stay words, in YAML and in markdown."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from dalr_bench.plugin.manager import load
from dalr_bench.publish.card import base_model, card
from dalr_bench.publish.cell import Cell, pick
from dalr_bench.types import Score

HOSTILE = "x: !!python/object\n---\n<script>alert(1)</script> `rm -rf` | [a](javascript:b) "
HOSTILE += "![i](http://h/i) {{ 7*7 }} $(ls) 'q'"


def text(cell: Cell) -> str:
    return card(cell, load().catalogue, "0" * 64)


def test_it_says_method_data_seeds_scores_and_how_to_do_it_again(readings: Path) -> None:
    cell = pick(readings, "taught", None, {})
    found = text(cell)
    front = ModelCard(found).data.to_dict()
    assert front["library_name"] == "sentence-transformers"
    assert front["pipeline_tag"] == "sentence-similarity"
    assert {"sentence-transformers", "sentence-similarity", "feature-extraction"} <= set(front["tags"])
    assert front["datasets"] == ["scenes"]
    assert "base_model" not in front  # from scratch
    measured = {one["dataset"]["name"]: one["metrics"][0]["value"] for one in front["model-index"][0]["results"]}
    assert measured == {score.task: score.value for score in cell.record.scores}

    for loss in ("infonce", "listmle"):
        summary = load().catalogue.get("loss", loss).summary
        row = next(line for line in found.splitlines() if f"| {loss} |" in line)
        assert re.sub(r"\\(.)", r"\1", row).count(summary) == 1  # the formula, whole
    first, second = (one.scores[0].value * 100 for one in cell.siblings)
    row = next(line for line in found.splitlines() if line.startswith("| Scenes-STS |"))
    assert f"| {cell.record.scores[0].value * 100:.2f} |" in row
    assert f"| {(first + second) / 2:.2f} ± {abs(first - second) / 2**0.5:.2f} | 2 |" in row
    assert "seed | 1 (of 0, 1; the suite's first" in found
    assert "dalr-bench run SUITE.yaml --only taught --seed 1" in found
    assert "torch 2." in found
    assert "hold for what is derived from them" in found
    headings = re.findall(r"^## .*", found, re.MULTILINE)
    assert headings == [f"## {name}" for name in ("Use", "Method", "Data", "Scores", "Run it again", "Licences")]
    assert all(found[found.index(heading) - 2 : found.index(heading)] == "\n\n" for heading in headings)


def hostile(cell: Cell) -> Cell:
    place = replace(cell.place, variant=HOSTILE, axes={HOSTILE: HOSTILE})
    scores = [Score(HOSTILE, HOSTILE, 0.5, 7, split=HOSTILE, protocol=HOSTILE)]
    environment = {"commit": HOSTILE, "libraries": {HOSTILE: HOSTILE}, "device": HOSTILE}
    record = replace(cell.record, suite=HOSTILE, run_id=HOSTILE, scores=scores, environment=environment)
    loss = {**cell.config["losses"]["info"], "options": {HOSTILE: HOSTILE}}
    config = {**cell.config, "losses": {HOSTILE: loss}}
    return replace(cell, place=place, record=record, config=config, siblings=(record,))


def test_hostile_names_do_no_harm(readings: Path) -> None:
    found = text(hostile(pick(readings, "first", None, {})))
    assert found.startswith("---\n")
    _, front, body = re.split(r"^---$", found, maxsplit=2, flags=re.MULTILINE)
    data = ModelCard(found).data.to_dict()
    assert set(data) == {"library_name", "pipeline_tag", "tags", "datasets", "metrics", "model-index"}
    assert data["model-index"][0]["results"][0]["dataset"]["name"] == " ".join(HOSTILE.split())
    assert "!!python" not in "".join(line for line in front.splitlines() if "'" not in line and '"' not in line)

    prose, code = (
        re.sub(r"^```.*?^```$", "", body, flags=re.MULTILINE | re.DOTALL),
        re.findall(r"```(\w+)\n(.*?)\n```", body, re.DOTALL),
    )
    assert "<script" not in prose
    assert not re.search(r"(?<!\\)\]\(", prose)
    assert not re.search(r"(?<!\\)`rm", prose)
    assert "49" not in prose
    assert [kind for kind, _ in code] == ["python", "python", "bash", "bash"]
    for kind, lines in code:
        if kind == "python":
            compile(lines, "card", "exec")
            assert not set("<>`|$;") & set(lines)
    command = code[2][1]
    assert "\n" not in command
    import shlex

    assert shlex.split(command)[3] == "--only"
    assert len(shlex.split(command)) == 7  # the name is one word, whatever it holds
    rows = [line for line in prose.splitlines() if line.startswith("|")]
    assert rows
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} <= {3, 5, 6, 8}


@pytest.mark.parametrize(
    ("model", "known"),
    [
        ("bert-base-uncased", "bert-base-uncased"),
        ("owner/name", "owner/name"),
        (None, None),
        ("./local", None),
        ("/abs/path", None),
        ("a/b/c", None),
        ("tests", None),  # a folder here
        ("x\ny", None),
    ],
)
def test_a_base_model_is_an_id_of_the_hub_and_no_folder(
    model: str | None, known: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tests").mkdir()
    monkeypatch.chdir(tmp_path)
    config: dict[str, Any] = {"backbone": {"options": {"model": model}}}
    assert base_model(config) == known
    assert base_model({"backbone": {"options": {}}}) is None
