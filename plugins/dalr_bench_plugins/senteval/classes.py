"""The classification sets of SentEval's tree: sentences or pairs with a class, in the order the toolkit puts them in.

Order matters to the last digit: folds and minibatches are drawn by position. The toolkit sorts by length, then by
label. Source: princeton-nlp/SimCSE@49fa580:SentEval/senteval/{binary,trec,mrpc,sst,sick,probing}.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dalr_bench import DataError, Fault
from dalr_bench_plugins.senteval.files import check_count, columns, label_in, read_rows, read_text
from dalr_bench_plugins.senteval.pairs import SICK_FILES
from dalr_bench_plugins.senteval.recipe import Rows


@dataclass(frozen=True)
class Labelled:
    """Sentences, or pairs of them, and their classes."""

    left: Sequence[str]
    right: Sequence[str] | None
    label_N: Rows


@dataclass(frozen=True)
class ClassSet:
    """A task: `train` alone (nested cross-validation), with `test`, or with `dev` and `test`."""

    task: str
    splits: Mapping[str, Labelled]


# Words of the left and right sentence, class.
_Item = tuple[Sequence[str], Sequence[str], int]

# Folder, positive and negative file, their official sizes. Empty lines are sentences too.
BINARY: Mapping[str, tuple[str, str, int, int]] = {
    "MR": ("MR", "rt-polarity", 5331, 5331),
    "CR": ("CR", "custrev", 2407, 1368),
    "SUBJ": ("SUBJ", "subj", 5000, 5000),
    "MPQA": ("MPQA", "mpqa", 3312, 7294),
}
_ENDS = {"SUBJ": ("objective", "subjective")}
_TREC = {"ABBR": 0, "DESC": 1, "ENTY": 2, "HUM": 3, "LOC": 4, "NUM": 5}
_SICK = {"CONTRADICTION": 0, "NEUTRAL": 1, "ENTAILMENT": 2}
_SST_SIZES = {"binary": {"train": 67349, "dev": 872, "test": 1821}, "fine": {"train": 8544, "dev": 1101, "test": 2210}}
PROBING: Mapping[str, str] = {
    "Length": "sentence_length",
    "WordContent": "word_content",
    "Depth": "tree_depth",
    "TopConstituents": "top_constituents",
    "BigramShift": "bigram_shift",
    "Tense": "past_present",
    "SubjNumber": "subj_number",
    "ObjNumber": "obj_number",
    "OddManOut": "odd_man_out",
    "CoordinationInversion": "coordination_inversion",
}


def load_binary(tree: Path, task: str, official: bool = True) -> ClassSet | None:
    """MR, CR, SUBJ, MPQA: a latin-1 file a class, one sentence a line, empty ones included."""
    name, stem, *sizes = BINARY[task]
    folder = tree / name
    if not folder.is_dir():
        return None
    items: list[_Item] = []
    for label, ending, size in zip((1, 0), _ENDS.get(task, ("pos", "neg")), sizes, strict=True):
        path = folder / f"{stem}.{ending}"
        # latin-1 knows a line end of its own (\x85), and the toolkit splits there as well
        lines = read_text(path, "latin-1").splitlines()
        check_count(len(lines), size if official else None, path.name, path)
        items += [(line.split(), (), label) for line in lines]
    return ClassSet(task, {"train": _sorted(items, pairs=False)})


def load_trec(tree: Path, official: bool = True) -> ClassSet | None:
    """TREC's six coarse question classes: `NUM:dist How far ...`, latin-1."""
    folder = tree / "TREC"
    if not folder.is_dir():
        return None
    splits: dict[str, Labelled] = {}
    for split, name, size in (("train", "train_5500.label", 5452), ("test", "TREC_10.label", 500)):
        path = folder / name
        items: list[_Item] = []
        for number, line in enumerate(read_rows(path, "latin-1"), 1):
            coarse, mark, rest = line.strip().partition(":")
            if not mark:
                raise DataError(Fault("expected `CLASS:kind question`", file=str(path), line=number))
            items.append((rest.partition(" ")[2].split(), (), label_in(coarse, _TREC, path, number)))
        check_count(len(items), size if official else None, name, path)
        splits[split] = _sorted(items, pairs=False)
    return ClassSet("TREC", splits)


def load_mrpc(tree: Path, official: bool = True) -> ClassSet | None:
    """MRPC: five tab-separated columns under a header (with a byte order mark), the class first."""
    folder = tree / "MRPC"
    if not folder.is_dir():
        return None
    splits: dict[str, Labelled] = {}
    for split, size in (("train", 4076), ("test", 1725)):
        path = folder / f"msr_paraphrase_{split}.txt"
        items: list[_Item] = []
        for number, line in enumerate(read_rows(path)[1:], 2):
            parts = columns(line.strip(), 5, path, number)
            items.append((parts[3].split(), parts[4].split(), label_in(parts[0], {"0": 0, "1": 1}, path, number)))
        check_count(len(items), size if official else None, path.name, path)
        splits[split] = _sorted(items, pairs=True)
    return ClassSet("MRPC", splits)


def load_sst(tree: Path, grain: str, official: bool = True) -> ClassSet | None:
    """SST: `binary` has the class after a tab, `fine` (five classes) before a blank."""
    folder = tree / "SST" / grain
    if not folder.is_dir():
        return None
    labels = {str(number): number for number in range(2 if grain == "binary" else 5)}
    splits: dict[str, Labelled] = {}
    for split, size in _SST_SIZES[grain].items():
        path = folder / f"sentiment-{split}"
        items: list[_Item] = []
        for number, line in enumerate(read_rows(path), 1):
            text, mark = line.strip(), "\t" if grain == "binary" else " "
            if mark not in text:
                raise DataError(Fault("expected a sentence and its class", file=str(path), line=number))
            words, label = text.split("\t")[:2] if grain == "binary" else text.split(" ", 1)[::-1]
            items.append((words.split(), (), label_in(label, labels, path, number)))
        check_count(len(items), size if official else None, path.name, path)
        splits[split] = _sorted(items, pairs=False)
    return ClassSet("SST" if grain == "binary" else "SST5", splits)


def load_sick_entailment(tree: Path, official: bool = True) -> ClassSet | None:
    """SICK's entailment judgments, three classes."""
    folder = tree / "SICK"
    if not folder.is_dir():
        return None
    splits: dict[str, Labelled] = {}
    for split, (name, size) in SICK_FILES.items():
        path = folder / name
        items: list[_Item] = []
        for number, line in enumerate(read_rows(path)[1:], 2):
            parts = columns(line.strip(), 5, path, number)
            items.append((parts[1].split(), parts[2].split(), label_in(parts[4], _SICK, path, number)))
        check_count(len(items), size if official else None, name, path)
        splits[split] = _sorted(items, pairs=True)
    return ClassSet("SICK-E", splits)


def load_probing(folder: Path, task: str) -> ClassSet | None:
    """A probing task: `tr|va|te`, class and sentence, tab-separated; classes are numbered in sorted order."""
    path = folder / f"{PROBING[task]}.txt"
    if not path.is_file():
        return None
    lines = [columns(line.rstrip(), 3, path, number) for number, line in enumerate(read_rows(path), 1)]
    labels = {label: i for i, label in enumerate(sorted({parts[1] for parts in lines if parts[0] == "tr"}))}
    items: dict[str, list[_Item]] = {"tr": [], "va": [], "te": []}
    for number, (split, label, *rest) in enumerate(lines, 1):
        label_in(split, dict.fromkeys(items, 0), path, number)
        items[split].append((rest[-1].split(), (), label_in(label, labels, path, number)))
    if not all(items.values()):
        raise DataError(Fault("has no line for one of tr, va, te", file=str(path)))
    names = {"tr": "train", "va": "dev", "te": "test"}
    return ClassSet(task, {names[key]: _sorted(found, pairs=False) for key, found in items.items()})


def _sorted(items: list[_Item], pairs: bool) -> Labelled:
    ordered = sorted(items, key=lambda item: (len(item[0]), len(item[1]), item[2]))
    right = [" ".join(item[1]) for item in ordered] if pairs else None
    return Labelled([" ".join(item[0]) for item in ordered], right, np.array([item[2] for item in ordered], np.int32))


LOADERS: Mapping[str, Callable[[Path, bool], ClassSet | None]] = {
    **{task: lambda tree, official, task=task: load_binary(tree, task, official) for task in BINARY},  # type: ignore[misc]
    "SST": lambda tree, official: load_sst(tree, "binary", official),
    "SST5": lambda tree, official: load_sst(tree, "fine", official),
    "TREC": load_trec,
    "MRPC": load_mrpc,
    "SICK-E": load_sick_entailment,
}


def texts(found: ClassSet) -> Iterator[str]:
    """Every sentence of a set."""
    for split in found.splits.values():
        yield from split.left
        yield from split.right or ()
