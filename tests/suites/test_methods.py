"""The suites of the methods: each plans where its data is, each runs small, and all twelve readings share a table."""

from __future__ import annotations

import csv
import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest

from dalr_bench.cli.main import main
from dalr_bench.errors import DataError
from dalr_bench.plugin.manager import load
from dalr_bench.suite import Plan, expand
from dalr_bench.suite import load as load_suite

SUITES = Path(__file__).resolve().parent.parent.parent / "suites"
# Suites that ask for files nobody can ship; all others plan as they are, or with the shared data beside the project.
ASKING = [
    *sorted(path for folder in ("methods", "released", "paper") for path in (SUITES / folder).glob("*.yaml")),
    SUITES / "ablation-paper.yaml",
    *(SUITES / "beyond" / f"{name}.yaml" for name in ("teachers", "order-of-teachers", "siglip", "cross-lingual")),
]
ALL = sorted(path for path in SUITES.rglob("*.yaml") if path.name != "real.yaml")
FILES = (
    *("wiki/wiki1m_for_simcse.txt", "mcse/flickr_random_captions.txt", "mcse/flickr_resnet.hdf5"),
    *("mcse/coco_random_captions.txt", "mcse/coco_resnet.hdf5", "flickr30k/results_20130124.token"),
    *("flickr30k/train.txt", "flickr30k/flickr30k-images/1.jpg", "kdmcse/flickr30k_ViT_L14.json"),
    *("coco/annotations/captions_train2014.json", "coco/train2014/1.jpg", "wiki/wiki_sentences.txt"),
)


def name_of(path: Path) -> str:
    return str(path.relative_to(SUITES))


@pytest.fixture(scope="module")
def catalogue() -> Any:
    return load().catalogue


@pytest.fixture
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files at every place the suites name: a plan looks at their bytes and no further."""
    for name in FILES:
        file = tmp_path / "data" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    for folder in ("STS/STSBenchmark", "MR"):  # of the sets to score on one is enough: others are then missing columns
        (tmp_path / "data" / "downstream" / folder).mkdir(parents=True)
    monkeypatch.setenv("DALR_BENCH_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.mark.parametrize("path", ALL, ids=name_of)
def test_in_full_every_diff_changes_something(path: Path, catalogue: Any, stand_ins: Path) -> None:
    plan = expand(load_suite(path), catalogue)
    assert plan.runs
    assert plan.suite.title
    unknown = set(plan.suite.expect) - set(plan.variants)
    assert not unknown


@pytest.mark.parametrize("path", ASKING, ids=name_of)
def test_without_its_files_each_is_named_with_its_line(
    path: Path, catalogue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DALR_BENCH_DATA", raising=False)
    with pytest.raises(DataError) as caught:
        expand(load_suite(path), catalogue)
    assert all(fault.what.startswith(("there is no file or folder", "nothing to score on")) for fault in caught.value.faults)
    assert all(fault.line and fault.path for fault in caught.value.faults)


def losses_of(plan: Plan, variant: str) -> dict[str, Any]:
    run = next(run for run in plan.runs if run.variant == variant)
    found: dict[str, Any] = run.config["losses"]
    return found


def test_the_released_total_is_the_codes_brackets_multiplied_out(catalogue: Any, stand_ins: Path) -> None:
    """L_Info + .1 (L_mm + L_CMA + .01 L_cons) + .2 (L_rank + g2l + L_IMA), methods.md 5."""
    losses = losses_of(expand(load_suite(SUITES / "released" / "dalr.yaml"), catalogue), "BERT")
    inside = {"grounding": 1.0, "cma": 1.0, "consistency": 0.01}
    assert {name: losses[name]["weight"] for name in inside} == pytest.approx({k: 0.1 * v for k, v in inside.items()})
    assert {losses[name]["weight"] for name in ("listmle", "global_to_local", "ima")} == {0.2}
    assert losses["info"]["weight"] == 1.0
    assert losses["info"]["on"] is None
    assert all(losses[name]["on"] == ["pairs"] for name in losses if name != "info")
    assert losses["cma"]["options"]["student_temperature"] == pytest.approx(0.05 * 0.45)


def test_the_paper_reading_has_no_quirk(catalogue: Any, stand_ins: Path) -> None:
    losses = losses_of(expand(load_suite(SUITES / "methods" / "dalr.yaml"), catalogue), "BERT")
    assert set(losses) == {"info", "grounding", "consistency", "cma", "listmle", "ima"}
    assert all(entry["options"].get("margin", 0.0) == 0.0 for name, entry in losses.items() if name != "consistency")
    temperatures = {v for entry in losses.values() for k, v in entry["options"].items() if "temperature" in k}
    assert temperatures == {0.05}
    assert losses["listmle"]["options"]["diagonal"] == "exclude"
    assert losses["listmle"]["options"]["reduction"] == "mean"


def test_quirk_by_quirk_ends_at_the_released_reading(catalogue: Any) -> None:
    """The last row of beyond/readings is the released row of scenes-methods, composed from single quirks."""
    whole = losses_of(expand(load_suite(SUITES / "scenes-methods.yaml"), catalogue), "DALR (released)")
    composed = losses_of(expand(load_suite(SUITES / "beyond" / "readings.yaml"), catalogue), "released")
    assert composed == whole


def call(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    assert not left.value.code, captured.err
    return captured.out


def smoke(capsys: pytest.CaptureFixture[str], suite: Path, results: Path) -> list[dict[str, Any]]:
    """Run a suite's overlay in this process; its table's rows."""
    call(capsys, "run", suite, "--smoke", "--executor", "inline", "--results", results)
    (folder,) = results.iterdir()
    rows: list[dict[str, Any]] = json.loads(call(capsys, "table", folder, "--format", "json"))["rows"]
    return rows


def test_all_methods_in_both_readings_train_and_share_a_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = smoke(capsys, SUITES / "scenes-methods.yaml", tmp_path / "results")
    measured = [row for row in rows if row["kind"] == "measured"]
    methods = ("SimCSE", "DiffCSE", "MCSE", "KDMCSE", "RankCSE", "DALR")
    wanted = {f"{name} ({reading})" for name in methods for reading in ("paper", "released")}
    assert wanted | {"untrained"} == {row["name"] for row in measured}
    assert all(row["cells"]["Scenes-STS"]["n"] == 1 for row in measured)


@pytest.mark.slow
@pytest.mark.parametrize("path", [path for path in ALL if path.name != "scenes-methods.yaml"], ids=name_of)
def test_every_suite_runs_small(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DALR_BENCH_DATA", raising=False)
    assert smoke(capsys, path, tmp_path / "results")


def test_the_page_on_methods_names_options_that_exist(catalogue: Any) -> None:
    page = (SUITES.parent / "docs" / "methods.md").read_text(encoding="utf-8")
    kinds = {"sts": "evaluator"}
    named = re.findall(r"`(cma|ima|listmle|listnet|consistency|sts)\.(\w+)`", page)
    assert len(named) > 12
    for component, option in named:
        known = inspect.signature(catalogue.get(kinds.get(component, "loss"), component).factory).parameters
        assert option in known, f"{component}.{option}"


def test_what_stops_the_released_dalr_is_named(shared: Path) -> None:
    """Every fault of class S (it stops) of the list of the released code's faults stands on the page, by its place."""
    page = " ".join((SUITES.parent / "docs" / "methods.md").read_text(encoding="utf-8").split())
    with (shared / "papers" / "dalr_code_issues.csv").open(encoding="utf-8", newline="") as file:
        stopping = [row[1] for row in csv.reader(file) if row[0] == "S"]
    assert len(stopping) == 10
    named = {'README "Run Evaluation"': "eval_senteval.py"}
    places = [named.get(place, place) for where in stopping for place in re.split(r"; ", where)]
    bare = [re.sub(r"^(scripts/|src/)", "", place) for place in places]
    assert not [place for place in bare if place not in page]


def test_what_no_source_gives_is_called_unknown_beside_its_value() -> None:
    """DALR's λ, μ, τ and α in every suite that sets one itself."""
    setting = {
        name_of(path): path.read_text(encoding="utf-8")
        for folder in ("methods", "paper")
        for path in (SUITES / folder).glob("*.yaml")
    }
    chosen = {
        name: text
        for name, text in setting.items()
        if re.search(r"name: (cma|listmle, teacher: rank, weight: 0\.1)", text)
    }
    assert {"methods/dalr.yaml", "paper/flickr-bert.yaml", "paper/modules.yaml"} <= set(chosen)
    assert all("unknown" in text and "λ" in text and "μ" in text for text in chosen.values())
    dalr = setting["methods/dalr.yaml"]
    for symbol, key in (("λ", "consistency"), ("μ", "listmle"), ("τ", "cma"), ("α", "rank")):
        assert re.search(rf"# {symbol} unknown: [^\n]*\n(    #[^\n]*\n)*    {key}:", dalr), symbol
    assert all("unknown" in text for name, text in setting.items() if "coco" in name)
