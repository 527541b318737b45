"""The semantic similarity sets of SentEval's tree: pairs of sentences with a gold score, in subsets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dalr_bench import DataError, Fault
from dalr_bench.errors import counted
from dalr_bench_plugins.senteval.files import check_count, columns, number_in, read_rows, read_text

Split = Literal["train", "dev", "test", "all"]

# Official numbers of pairs with a gold score. STS13 is used without its SMT part, which never was free.
YEARS: Mapping[str, Mapping[str, int]] = {
    "STS12": {"MSRpar": 750, "MSRvid": 750, "SMTeuroparl": 459, "surprise.OnWN": 750, "surprise.SMTnews": 399},
    "STS13": {"FNWN": 189, "headlines": 750, "OnWN": 561},
    "STS14": {"deft-forum": 450, "deft-news": 300, "headlines": 750, "images": 750, "OnWN": 750, "tweet-news": 750},
    "STS15": {"answers-forums": 375, "answers-students": 750, "belief": 375, "headlines": 750, "images": 750},
    "STS16": {"answer-answer": 254, "headlines": 249, "plagiarism": 230, "postediting": 244, "question-question": 209},
}
STSB_SIZES = {"train": 5749, "dev": 1500, "test": 1379}
SICK_FILES = {
    "train": ("SICK_train.txt", 4500),
    "dev": ("SICK_trial.txt", 500),
    "test": ("SICK_test_annotated.txt", 4927),
}


@dataclass(frozen=True)
class Subset:
    """Pairs of one file: two sentences each and a gold score (0-5; SICK 1-5)."""

    name: str
    left: Sequence[str]
    right: Sequence[str]
    gold: NDArray[np.float64]


@dataclass(frozen=True)
class PairSet:
    """One column of a table: `STS12` and its subsets."""

    task: str
    split: str
    subsets: Sequence[Subset]


def load_year(tree: Path, task: str, official: bool = True) -> PairSet | None:
    """STS12-16: tokenised sentences, gold in a file of its own. None where the set's folder is absent.

    Pairs with an empty gold line were not annotated and are left out. Raises DataError for a missing or malformed file,
    for unequal numbers of lines, and (with `official`) for a subset that is not of its official size.
    """
    folder = tree / "STS" / f"{task}-en-test"
    if not folder.is_dir():
        return None
    return PairSet(
        task, "test", [_year_subset(folder, name, size if official else None) for name, size in YEARS[task].items()]
    )


def _year_subset(folder: Path, name: str, size: int | None) -> Subset:
    inputs, golds = folder / f"STS.input.{name}.txt", folder / f"STS.gs.{name}.txt"
    # The toolkit splits at everything Python calls a line end, in both files.
    pairs, scores = read_text(inputs).splitlines(), read_text(golds).splitlines()
    if len(pairs) != len(scores):
        shorter, line = (inputs, len(pairs)) if len(pairs) < len(scores) else (golds, len(scores))
        fault = f"ends here: {inputs.name} has {counted(len(pairs), 'line')}, {golds.name} {len(scores)}"
        raise DataError(Fault(fault, file=str(shorter), line=line))
    rows: list[tuple[str, str, float]] = []
    for number, (pair, score) in enumerate(zip(pairs, scores, strict=True), 1):
        if score != "":
            left, right, *_ = columns(pair, 2, inputs, number)
            rows.append((left, right, number_in(score, float, golds, number)))
    check_count(len(rows), size, f"subset {name}", inputs)
    return _subset(name, rows, inputs)


def load_stsb(tree: Path, split: str, official: bool = True) -> PairSet | None:
    """STS-B: seven tab-separated columns (called csv), nothing quoted; score in the fifth, sentences after it."""
    path = tree / "STS" / "STSBenchmark" / f"sts-{split}.csv"
    if not path.parent.is_dir():
        return None
    rows: list[tuple[str, str, float]] = []
    for number, line in enumerate(read_rows(path), 1):
        parts = columns(line, 7, path, number)
        rows.append((parts[5], parts[6], number_in(parts[4], float, path, number)))
    check_count(len(rows), STSB_SIZES[split] if official else None, f"STS-B {split}", path)
    return PairSet("STS-B", split, [_subset("STS-B", rows, path)])


def load_sick(tree: Path, split: str, official: bool = True) -> PairSet | None:
    """SICK relatedness; `all` is its three files together, as mteb and the hub score it."""
    folder = tree / "SICK"
    if not folder.is_dir():
        return None
    rows: list[tuple[str, str, float]] = []
    for part in ("train", "dev", "test") if split == "all" else (split,):
        name, size = SICK_FILES[part]
        found = _sick_rows(folder / name)
        check_count(len(found), size if official else None, f"SICK {part}", folder / name)
        rows += found
    return PairSet("SICK-R", split, [_subset("SICK-R", rows, folder)])


def _sick_rows(path: Path) -> list[tuple[str, str, float]]:
    out: list[tuple[str, str, float]] = []
    for number, line in enumerate(read_rows(path)[1:], 2):
        parts = columns(line, 5, path, number)
        out.append((parts[1], parts[2], number_in(parts[3], float, path, number)))
    return out


def load_language(folder: Path, language: str) -> PairSet | None:
    """STS-B test pairs in another language: `stsb_multi_mt/LL-test.jsonl` in `folder` or in `folder/mteb`, as mteb's
    data has it.
    """
    path = language_file(folder, language)
    task = f"STS-B ({language})"
    return None if path is None else PairSet(task, "test", [_subset(task, read_jsonl(path), path)])


def language_file(folder: Path, language: str) -> Path | None:
    """Where these pairs would be; None where the data set's folder is absent."""
    found = [base / "stsb_multi_mt" for base in (folder, folder / "mteb") if (base / "stsb_multi_mt").is_dir()]
    return found[0] / f"{language}-test.jsonl" if found else None


def read_jsonl(path: Path) -> list[tuple[str, str, float]]:
    """(sentence1, sentence2, score) of each line of a JSON-lines file. Raises DataError with the line of a bad one."""
    rows: list[tuple[str, str, float]] = []
    for number, line in enumerate(read_rows(path), 1):
        try:
            item = json.loads(line)
            rows.append((str(item["sentence1"]), str(item["sentence2"]), float(item["score"])))
        except (ValueError, KeyError, TypeError) as error:
            fault = "expected an object with sentence1, sentence2 and score"
            raise DataError(Fault(fault, file=str(path), line=number)) from error
    return rows


def _subset(name: str, rows: Sequence[tuple[str, str, float]], path: Path) -> Subset:
    if not rows:
        raise DataError(Fault("holds no pair with a gold score", file=str(path)))
    left, right, gold = zip(*rows, strict=True)
    array = np.asarray(gold, np.float64)
    if not np.isfinite(array).all():
        raise DataError(Fault(f"gold score {array[~np.isfinite(array)][0]} is not finite", file=str(path)))
    return Subset(name, [_blanks(text) for text in left], [_blanks(text) for text in right], array)


def _blanks(text: str) -> str:
    """Words joined by single blanks, as the toolkit's batcher hands them on."""
    return " ".join(text.split())
