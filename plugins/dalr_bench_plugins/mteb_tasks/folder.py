"""Tasks the mteb library does not know, made of a folder's files: the library still does all the scoring.

What the files look like says what is asked: `corpus.jsonl`, `queries.jsonl` and `qrels/test.tsv` (as BEIR has them) is
retrieval; rows of `query`, `positive` and `negative` are reranking; rows of `sentences` and `labels` clustering; rows
of `text` and `label`, with a `train.jsonl` beside them, classification.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from datasets import Dataset, DatasetDict
from mteb.abstasks.classification import AbsTaskClassification
from mteb.abstasks.clustering_legacy import AbsTaskClusteringLegacy
from mteb.abstasks.retrieval import AbsTaskRetrieval
from mteb.abstasks.task_metadata import TaskMetadata

from dalr_bench import DataError, Fault
from dalr_bench_plugins.mteb_tasks.local import digest, rows_of

_SPLIT = "test"
Rows = list[dict[str, Any]]


def folder_task(folder: Path) -> Any | None:
    """The task of a folder's files, named like the folder, its test data loaded; None where it holds no such files.

    The main scores are the ones mteb gives tasks of the kind: ndcg_at_10, map_at_1000, v_measure, accuracy. `n` on the
    task counts queries, sets or test sentences. Raises DataError (file and line) for malformed files.
    """
    if (folder / "corpus.jsonl").is_file():
        files = [folder / "corpus.jsonl", folder / "queries.jsonl", folder / "qrels" / f"{_SPLIT}.tsv"]
        return _made(folder, ("Retrieval", AbsTaskRetrieval, "ndcg_at_10"), files, _retrieval(*files))
    tests = folder / f"{_SPLIT}.jsonl"
    if not tests.is_file():
        return None
    rows = rows_of([tests])
    for keys, (kind, build) in _KINDS.items():
        if rows and set(keys) <= set(rows[0]):
            _check(tests, rows, keys)
            train = [folder / "train.jsonl"] if kind[0] == "Classification" else []
            return _made(folder, kind, [tests, *train], build(rows, *map(_train, train)))
    return None


def _train(path: Path) -> Rows:
    if not path.is_file():
        raise DataError(Fault("no such file: a classifier is fitted on it", file=str(path)))
    rows = rows_of([path])
    _check(path, rows, ("text", "label"))
    return rows


def _check(path: Path, rows: Rows, keys: Sequence[str]) -> None:
    for number, row in enumerate(rows, 1):
        lacking = [key for key in keys if key not in row]
        if lacking:
            raise DataError(Fault(f"has no `{lacking[0]}`", file=str(path), line=number))


def _made(folder: Path, kind: tuple[str, Any, str], files: Sequence[Path], data: tuple[Any, int]) -> Any:
    name, base, score = kind
    metadata = TaskMetadata(
        name=folder.name,
        description=f"{name} on the files of a folder.",
        type=name,
        category="t2t" if name in ("Retrieval", "Reranking") else "t2c",
        dataset={"path": f"local/{folder.name}", "revision": digest({_SPLIT: files})},
        eval_splits=[_SPLIT],
        eval_langs=["eng-Latn"],
        main_score=score,
    )
    task = type("FolderTask", (base,), {"metadata": metadata})()
    task.dataset, task.n = data
    task.data_loaded = True
    return task


def _retrieval(corpus: Path, queries: Path, judged: Path) -> tuple[Any, int]:
    documents, asked = rows_of([corpus]), rows_of([queries])
    _check(corpus, documents, ("_id", "text"))
    _check(queries, asked, ("_id", "text"))
    relevant = _judgements(judged, {row["_id"] for row in documents}, {row["_id"] for row in asked})
    texts = [{"id": row["_id"], "title": row.get("title", ""), "text": row["text"]} for row in documents]
    questions = [{"id": row["_id"], "text": row["text"]} for row in asked if row["_id"] in relevant]
    return _searching(texts, questions, relevant, None)


def _judgements(path: Path, documents: set[str], queries: set[str]) -> dict[str, dict[str, int]]:
    if not path.is_file():
        raise DataError(Fault("no such file", file=str(path)))
    out: dict[str, dict[str, int]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()[1:], 2):
        cells = line.split("\t")
        if len(cells) != 3 or not cells[2].strip().lstrip("-").isdigit():
            raise DataError(Fault("expected query-id, corpus-id and a whole number", file=str(path), line=number))
        query, document, grade = cells
        if query not in queries or document not in documents:
            raise DataError(Fault(f"query {query} or document {document} is unknown", file=str(path), line=number))
        out.setdefault(query, {})[document] = int(grade)
    return out


def _reranking(rows: Rows) -> tuple[Any, int]:
    """Each query ranks its own candidates; the same text is another candidate for another query."""
    texts, ranked, relevant = [], {}, {}
    for number, row in enumerate(rows):
        marked = [(text, 1) for text in row["positive"]] + [(text, 0) for text in row["negative"]]
        names = [f"{number}-{place}" for place in range(len(marked))]
        texts += [{"id": name, "title": "", "text": text} for name, (text, _) in zip(names, marked, strict=True)]
        ranked[str(number)] = names
        relevant[str(number)] = {name: grade for name, (_, grade) in zip(names, marked, strict=True)}
    questions = [{"id": str(number), "text": row["query"]} for number, row in enumerate(rows)]
    return _searching(texts, questions, relevant, ranked)


def _searching(texts: Rows, questions: Rows, relevant: Any, ranked: Any) -> tuple[Any, int]:
    parts = {
        "corpus": Dataset.from_list(texts),
        "queries": Dataset.from_list(questions),
        "relevant_docs": relevant,
        "top_ranked": ranked,
    }
    return {"default": {_SPLIT: parts}}, len(questions)


def _clustering(rows: Rows) -> tuple[Any, int]:
    return DatasetDict({_SPLIT: Dataset.from_list(rows)}), len(rows)


def _classification(rows: Rows, train: Rows) -> tuple[Any, int]:
    return DatasetDict({_SPLIT: Dataset.from_list(rows), "train": Dataset.from_list(train)}), len(rows)


_Kind = tuple[str, Any, str]
_KINDS: Mapping[tuple[str, ...], tuple[_Kind, Callable[..., tuple[Any, int]]]] = {
    ("query", "positive", "negative"): (("Reranking", AbsTaskRetrieval, "map_at_1000"), _reranking),
    ("sentences", "labels"): (("Clustering", AbsTaskClusteringLegacy, "v_measure"), _clustering),
    ("text", "label"): (("Classification", AbsTaskClassification, "accuracy"), _classification),
}
