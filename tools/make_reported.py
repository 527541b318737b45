"""Published numbers as packaged data: the papers' CSVs in, `plugins/dalr_bench_plugins/reported/` out.

    python tools/make_reported.py ../shared/papers [FOLDER]

Every cell that is a number is taken with its source and confidence; "not found", ranges and words never become numbers.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass, fields
from decimal import Decimal, InvalidOperation
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "plugins" / "dalr_bench_plugins" / "reported"
STS = ("STS12", "STS13", "STS14", "STS15", "STS16", "STS-B", "SICK-R")
TRANSFER = ("MR", "CR", "SUBJ", "MPQA", "SST", "TREC", "MRPC")
LOW = "LOW CONFIDENCE"
# How the averages and dev scores of the ablation tables are called here.
ABLATED = {
    "STS Avg": ("STS", "avg"),
    "TR Avg": ("transfer", "avg"),
    "transfer Avg": ("transfer", "avg"),
    "STS-B dev": ("STS-B (dev)", "spearman"),
    "SICK-R": ("SICK-R", "difference"),
}
WMEAN = "subsets of a year averaged by their number of pairs"

Line = Mapping[str, str]


@dataclass(frozen=True)
class Cell:
    """One published number; `value` as a table prints it (×100)."""

    row: str
    task: str
    metric: str
    value: str
    source: str
    std: str = ""
    protocol: str = ""
    kind: str = ""
    detail: str = ""
    note: str = ""


def number(text: str) -> Decimal | None:
    """The number a cell is; None for words, ranges and nothing."""
    try:
        found = Decimal(text.strip())
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def read(folder: Path, name: str) -> list[dict[str, str]]:
    """The lines of one of the papers' files."""
    with (folder / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, restval=""))


def source_of(line: Line) -> str:
    """Where it was read, with its confidence where that is low."""
    told = line["source"].replace("S1 seed", "S1 summary of the DALR paper")
    return f"{told} ({LOW})" if LOW in line["kind"] else told


def kind_of(line: Line) -> str:
    return line.get("kind") or "elsewhere"


def wide(lines: Iterable[Line], tasks: tuple[str, ...], metric: str, average: str) -> Iterator[Cell]:
    """Tables with a column a task, and their averages."""
    for line in lines:
        data = line["train_data"].partition(" (other data")[0]
        about = ", ".join(part for part in (line["encoder"], data) if part and part not in ("-", "none"))
        row = f"{line['method']} ({about})" if about else line["method"]
        for task in (*tasks, "Avg"):
            if number(line[task]) is None:
                continue
            named = (average, "avg") if task == "Avg" else (task, metric)
            protocol = WMEAN if "[wmean" in line["method"] and task != "Avg" else ""
            rest = (line[f"{task}_std"], protocol, kind_of(line), line["source_detail"], line["note"])
            yield Cell(row, *named, line[task], source_of(line), *rest)


def ablations(lines: Iterable[Line]) -> Iterator[Cell]:
    """Settings of ablation tables, one number each."""
    for line in lines:
        if number(line["value"]) is not None:
            row = f"{line['paper']}: {line['table'].partition(' (BERT, Flickr')[0]}: {line['setting']}"
            task, metric = ABLATED[line["metric"]]
            value = line["value"].removeprefix("+")
            yield Cell(row, task, metric, value, source_of(line), kind=kind_of(line), note=line["note"])


def retrieval(lines: Iterable[Line]) -> Iterator[Cell]:
    """R@1: open_clip prints fractions, the aggregator per cent; per cent here."""
    for line in lines:
        value = number(line["value"])
        if value is not None:
            shown = f"{value * 100:f}" if line["source"].startswith("S14") else line["value"]
            rest = {"kind": kind_of(line), "note": line["note"]}
            yield Cell(line["model"], line["task"], line["metric"], shown, source_of(line), **rest)


def mteb(lines: Iterable[Line]) -> Iterator[Cell]:
    """mteb's scores. Where its test set is SentEval's, task and metric are named as SentEval's."""
    for line in lines:
        same = line["comparable_to_SentEval"].startswith("yes") and line["metric"] == "cos_sim_spearman"
        task = "STS-B" if same and line["task"] == "STSBenchmark" else line["task"]
        metric = "spearman" if same else line["metric"]
        row = f"{line['model']}, {line['pooling']}"
        parts = [f"mteb {line['mteb_version']}", line["dataset_revision"] and f"data {line['dataset_revision']}"]
        detail = ", ".join(part for part in parts if part)
        source, note = line["source"].replace("<model>/<task>", "MODEL/TASK"), line["comparable_to_SentEval"]
        yield Cell(row, task, metric, line["value_x100"], source, kind="elsewhere", detail=detail, note=note)


def geometry(lines: Iterable[Line]) -> Iterator[Cell]:
    """Alignment and uniformity; papers print them as they are, here they are ×100 as everything."""
    for line in lines:
        for metric in ("alignment", "uniformity"):
            value = number(line[metric])
            if value is not None:
                rest = {"kind": kind_of(line), "detail": line["measured_on"], "note": line["note"]}
                yield Cell(line["model"], line["measured_on"], metric, f"{value * 100:f}", line["source"], **rest)


def replications(lines: Iterable[Line]) -> Iterator[Cell]:
    """What others got from the same recipe: averages, one a run, and columns where they were given."""
    for line in lines:
        rest = {"kind": "elsewhere", "note": line["detail (STS12..16 STS-B SICK-R)"]}
        runs = [part.strip() for part in line["Avg_STS"].split(" / ")]
        for place, value in enumerate(runs, 1):
            row = line["what"] if len(runs) == 1 else f"{line['what']}, run {place}"
            if number(value) is not None:
                yield Cell(row, "STS", "avg", value, line["source"], **rest)
        columns = line["detail (STS12..16 STS-B SICK-R)"].split()[: len(STS)]
        if len(columns) == len(STS) and all(number(value) is not None for value in columns):
            for task, value in zip(STS, columns, strict=True):
                name = "SICK-R (all pairs)" if task == "SICK-R" and "all HF pairs" in rest["note"] else task
                yield Cell(line["what"], name, "spearman", value, line["source"], **rest)


def files(papers: Path) -> dict[str, list[Cell]]:
    """File name → its cells. Rows that must not share a column with others have files of their own."""
    sts = list(wide(read(papers, "sts.csv"), STS, "spearman", "STS"))
    transfer = list(wide(read(papers, "transfer.csv"), TRANSFER, "acc", "transfer"))
    ablated = list(ablations(read(papers, "ablations.csv")))
    usable = [cell for cell in sts if not cell.note.startswith("DO NOT USE")]
    return {
        "dalr": [cell for cell in (*usable, *transfer, *ablated) if cell.kind == "seed"],
        "sts": [cell for cell in usable if cell.kind != "seed" and "[wmean" not in cell.row],
        "sts_wmean": [cell for cell in usable if "[wmean" in cell.row],
        "unusable": [cell for cell in sts if cell not in usable],
        "transfer": [cell for cell in transfer if cell.kind != "seed"],
        "ablations": [cell for cell in ablated if cell.kind != "seed"],
        "retrieval": list(retrieval(read(papers, "retrieval.csv"))),
        "mteb": list(mteb(read(papers, "external_mteb.csv"))),
        "geometry": list(geometry(read(papers, "uniformity_alignment.csv"))),
        "replications": list(replications(read(papers, "replications.csv"))),
    }


def as_csv(cells: Iterable[Cell]) -> str:
    """The form `dalr-bench table --reported` reads and three columns more. Raises ValueError for a cell told twice."""
    out, seen = io.StringIO(), set()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([field.name for field in fields(Cell)])
    for cell in cells:
        key = (cell.row, cell.source, cell.task, cell.metric)
        if key in seen:
            raise ValueError(f"told twice: {key}")
        seen.add(key)
        writer.writerow(astuple(cell))
    return out.getvalue()


def readme(papers: Path, made: Mapping[str, list[Cell]]) -> str:
    """What the files are, and what the labels S1 to S14 mean."""
    about = {
        "dalr": "the summary of the DALR paper: its main tables and its ablation, nothing else",
        "sts": "STS elsewhere: other papers, repositories and copies of their tables",
        "sts_wmean": "STS with another aggregation; shares no column with the others",
        "unusable": "numbers that are known to be garbled; kept so that nobody finds them again",
        "transfer": "transfer tasks elsewhere",
        "ablations": "ablation tables of SimCSE",
        "retrieval": "image-text retrieval",
        "mteb": "mteb's published scores; SICK-R there is of all pairs, SentEval's of the test file",
        "geometry": "alignment and uniformity, ×100 as every value here",
        "replications": "what others measured with the same recipes: how far ±1 is normal",
    }
    rows = [f"| `{name}` | {len(cells)} | {about[name]} |" for name, cells in made.items()]
    labels = [f"| {line['label']} | {line['what']} | {line['trust']} |" for line in read(papers, "sources.csv")]
    return "\n".join(
        [
            "# Published numbers",
            "",
            "Facts with their sources, to stand beside measured rows: `dalr-bench table RESULTS --reported NAME`.",
            "Written by `tools/make_reported.py`; change that, not these files. Values are ×100 as tables print them;",
            "`source` says where a number was read, `kind` whether in the DALR paper's summary (seed) or elsewhere.",
            f"{LOW} stands in `source` where it applies. What no source gives has no row.",
            "",
            *("| name | numbers | what |", "|---|---|---|", *rows, ""),
            *("| label | what | trust |", "|---|---|---|", *labels, ""),
        ]
    )


def write(papers: Path, target: Path) -> None:
    """Make every file anew."""
    made = files(papers)
    target.mkdir(parents=True, exist_ok=True)
    for name, cells in made.items():
        (target / f"{name}.csv").write_text(as_csv(cells), encoding="utf-8")
    (target / "README.md").write_text(readme(papers, made), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    write(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) == 3 else TARGET)
