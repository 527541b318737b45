"""The packaged published numbers: nothing lost on the way from the papers' files, nothing made up."""

from __future__ import annotations

import csv
import importlib.util
import subprocess
import sys
from collections import Counter
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path

import pytest

from dalr_bench.table.reported import packaged, read_reported

ROOT = Path(__file__).resolve().parents[3]
STS = ("STS12", "STS13", "STS14", "STS15", "STS16", "STS-B", "SICK-R")
TRANSFER = ("MR", "CR", "SUBJ", "MPQA", "SST", "TREC", "MRPC")
NAMES = {
    *("dalr", "sts", "sts_wmean", "unusable", "transfer"),
    *("ablations", "retrieval", "mteb", "geometry", "replications"),
}


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def as_number(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def shipped(*names: str) -> list[dict[str, str]]:
    return [line for name in names for line in lines(packaged()[name])]


def test_all_files_are_found_by_name_and_read() -> None:
    assert set(packaged()) >= NAMES
    for name in NAMES:
        rows = read_reported(packaged()[name])
        assert sum(len(row.values) for row in rows) == len(shipped(name)), name
        assert all(row.source for row in rows)


def test_the_wheel_would_hold_them() -> None:
    found = importlib.util.find_spec("dalr_bench_plugins")
    assert found is not None
    assert found.submodule_search_locations is not None
    (folder,) = found.submodule_search_locations
    assert packaged()["dalr"].parent == Path(folder) / "reported"


def test_the_script_makes_exactly_these_files(shared: Path, tmp_path: Path) -> None:
    script = [sys.executable, str(ROOT / "tools" / "make_reported.py"), str(shared / "papers"), str(tmp_path)]
    subprocess.run(script, check=True, capture_output=True)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    kept = {path.name: path.read_bytes() for path in packaged()["dalr"].parent.iterdir()}
    assert made == kept


# File → columns that hold published numbers, and what they are multiplied by to be as printed everywhere (×100).
WIDE = {"sts.csv": (*STS, "Avg"), "transfer.csv": (*TRANSFER, "Avg")}


@pytest.mark.parametrize("name", WIDE)
def test_every_number_of_the_tables_is_there_with_source_and_spread(name: str, shared: Path) -> None:
    wanted: Counter[tuple[str, str, str]] = Counter()
    for line in lines(shared / "papers" / name):
        for column in WIDE[name]:
            if as_number(line[column]) is not None:
                wanted[line[column], line[f"{column}_std"], line["source"][:3].strip()] += 1
    files = ("sts", "sts_wmean", "unusable") if name == "sts.csv" else ("transfer",)
    tasks = {*STS, "STS"} if name == "sts.csv" else {*TRANSFER, "transfer"}
    seed = [line for line in shipped("dalr") if line["task"] in tasks and "Ablation" not in line["source"]]
    seed = [line for line in seed if line["metric"] != "difference"]
    found = Counter((line["value"], line["std"], line["source"][:3].strip()) for line in [*shipped(*files), *seed])
    assert found == wanted
    assert sum(wanted.values()) > 190


@pytest.mark.parametrize(
    ("name", "column", "files"),
    [
        ("ablations.csv", "value", ("ablations", "dalr")),
        ("retrieval.csv", "value", ("retrieval",)),
        ("external_mteb.csv", "value_x100", ("mteb",)),
        ("uniformity_alignment.csv", "alignment", ("geometry",)),
        ("uniformity_alignment.csv", "uniformity", ("geometry",)),
    ],
)
def test_every_number_of_the_lists_is_there(name: str, column: str, files: tuple[str, ...], shared: Path) -> None:
    wanted: Counter[tuple[Decimal, str]] = Counter()
    for line in lines(shared / "papers" / name):
        value = as_number(line[column])
        if value is not None:
            fraction = name.startswith("uniformity") or line["source"].startswith("S14")
            wanted[value * (100 if fraction else 1), line["source"][:3].strip()] += 1
    here = shipped(*files)
    if "dalr" in files:
        here = [line for line in here if line["row"].partition(":")[0] in ("DALR", "SimCSE")]
    if name.startswith("uniformity"):
        here = [line for line in here if line["metric"] == column]
    assert Counter((Decimal(line["value"]), line["source"][:3].strip()) for line in here) == wanted
    assert wanted


def test_replications_are_split_run_by_run(shared: Path) -> None:
    averages = [line["value"] for line in shipped("replications") if line["metric"] == "avg"]
    told = [line["Avg_STS"] for line in lines(shared / "papers" / "replications.csv")]
    assert averages == [value for text in told for value in text.split(" / ") if as_number(value) is not None]
    assert len(averages) == 10


def test_low_confidence_and_garbled_numbers_are_told() -> None:
    doubtful = [line for name in NAMES for line in shipped(name) if "LOW" in line["kind"]]
    assert len(doubtful) >= 10
    assert all("LOW CONFIDENCE" in line["source"] for line in doubtful)
    assert [line["value"] for line in shipped("unusable")] == ["76.6"]


def test_what_nobody_published_has_no_row() -> None:
    rows = {line["row"] for name in NAMES - {"unusable"} for line in shipped(name)}
    assert not [row for row in rows if row.startswith("DALR (") and "COCO" in row]
    assert not [line for line in shipped("transfer") if line["row"].startswith("RankCSE")]
    assert not [line for line in shipped("geometry") if line["row"].startswith(("MCSE", "KDMCSE", "DALR"))]


def averages(block: tuple[str, ...], average: str) -> dict[str, tuple[Decimal, str]]:
    """Row → mean of its columns, and the printed average."""
    out = {}
    for row in read_rows():
        cells = [row[1].get(task) for task in block]
        printed = row[1].get(average)
        if printed is not None and all(cell is not None for cell in cells):
            out[row[0]] = sum((Decimal(cell) for cell in cells if cell), Decimal(0)) / len(block), printed
    return out


def read_rows() -> list[tuple[str, dict[str, str]]]:
    rows: dict[str, dict[str, str]] = {}
    for line in shipped("dalr"):
        rows.setdefault(line["row"], {})[line["task"]] = line["value"]
    return list(rows.items())


def test_averages_are_means_but_for_two_last_digits() -> None:
    """methods.md 2.5: eight of ten rows exactly; two are the mean cut off, not rounded."""
    found = [*averages(STS, "STS").items(), *averages(TRANSFER, "transfer").items()]
    assert len(found) == 10
    cut = []
    for row, (mean, printed) in found:
        digits = Decimal(printed)
        if mean.quantize(digits, ROUND_HALF_UP) != digits:
            assert mean.quantize(digits, ROUND_DOWN) == digits
            cut.append((row.partition(" (")[0], printed))
    assert sorted(cut) == [("DALR", "87.45"), ("KDMCSE", "78.6")]


def test_mteb_and_senteval_agree_where_their_test_sets_do() -> None:
    """methods.md 3: to two decimals on STS12-16 and STS-B, and not on SICK-R."""
    mteb = {(line["row"], line["task"]): line["value"] for line in shipped("mteb") if line["metric"] == "spearman"}
    printed = {(line["row"], line["task"]): line["value"] for line in shipped("sts")}
    for task in STS[:-1]:
        ours = Decimal(mteb["bert-base-uncased, mean", task]).quantize(Decimal("0.01"), ROUND_HALF_UP)
        assert ours == Decimal(printed["BERT mean (bert-base-uncased)", task])
    assert ("bert-base-uncased, mean", "SICK-R") not in mteb
