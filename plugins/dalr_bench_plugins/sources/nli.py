"""Premise, entailment and contradiction: the triplets of supervised SimCSE."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from dalr_bench import Corpus, DataError, DataPath, Fault, Requirement, hookimpl
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.reading.pairs import fingerprint
from dalr_bench_plugins.reading.text import existing, read_csv

_HOW = "nli_for_simcse.csv of the hub's data set princeton-nlp/datasets-for-simcse"


class NLITriplets:
    """Anchor, positive, negative in a csv with a header: `nli_for_simcse.csv` (princeton-nlp/SimCSE@49fa580).

    `sentences` are the anchors; `columns` of the corpus hold `positive` and, where the file has one, `negative`, row by
    row. `anchor`, `positive` and `negative` name the file's columns; `negative: null` reads pairs. `path` is the file,
    `limit` takes its first rows.

    Raises DataError with file and line: a header without these columns, a row of another length, an empty sentence.
    """

    def __init__(
        self,
        path: DataPath,
        anchor: str = "sent0",
        positive: str = "sent1",
        negative: str | None = "hard_neg",
        limit: Annotated[int, Field(ge=1)] | None = None,
    ) -> None:
        self.path = Path(path)
        self.names = {"anchor": anchor, "positive": positive} | ({"negative": negative} if negative else {})
        self.limit = limit

    @staticmethod
    def requires(options: Mapping[str, Any]) -> list[Requirement]:
        """The triplets, which are on the hub as a data set."""
        return [Requirement("data", options["path"], _HOW)]

    def load(self) -> Corpus:
        """Read the file."""
        path = existing(self.path)
        columns: dict[str, list[str]] = {role: [] for role in self.names}
        for number, row in read_csv(path, list(self.names.values())):
            for role, name in self.names.items():
                sentence = row[name].strip()
                if not sentence:
                    raise DataError(Fault(f"column {name} is empty", file=str(path), line=number))
                columns[role].append(sentence)
            if len(columns["anchor"]) == self.limit:
                break
        if not columns["anchor"]:
            raise DataError(Fault("no triplet in it", file=str(path), line=1))
        every = [sentence for role in columns.values() for sentence in role]
        anchors = columns.pop("anchor")
        return Corpus(anchors, fingerprint(every), columns=columns)


@hookimpl
def register_sources(register: Register) -> None:
    register("nli_triplets", NLITriplets)
