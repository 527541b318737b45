"""One sentence a line, as in wiki1m_for_simcse.txt."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from dalr_bench import Corpus, DataError, DataPath, Fault, Requirement, hookimpl
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.reading.pairs import fingerprint
from dalr_bench_plugins.reading.text import existing, numbered_lines

_HOW = (
    "a text file, one sentence a line; wiki1m_for_simcse.txt is in the hub's data set princeton-nlp/datasets-for-simcse"
)


class Lines:
    """Sentences of a text file, one a line, UTF-8, plain or gzipped; white space around a sentence is dropped.

    `path` is the file; `limit` takes the first so many sentences, `skip_blank` passes over blank lines. The corpus is
    named by the hash of its sentences. Raises DataError with file and line: a missing or empty file, a blank line,
    bytes that are not UTF-8.
    """

    def __init__(
        self, path: DataPath, limit: Annotated[int, Field(ge=1)] | None = None, skip_blank: bool = False
    ) -> None:
        self.path = Path(path)
        self.limit = limit
        self.skip_blank = skip_blank

    @staticmethod
    def requires(options: Mapping[str, Any]) -> list[Requirement]:
        """The file."""
        return [Requirement("data", options["path"], _HOW)]

    def load(self) -> Corpus:
        """Read the file."""
        path = existing(self.path)
        sentences: list[str] = []
        for number, line in numbered_lines(path):
            sentence = line.strip()
            if sentence:
                sentences.append(sentence)
            elif not self.skip_blank:
                what = "a blank line, expected a sentence (`skip_blank: true` passes over blank lines)"
                raise DataError(Fault(what, file=str(path), line=number))
            if len(sentences) == self.limit:
                break
        if not sentences:
            raise DataError(Fault("no sentence in it", file=str(path), line=1))
        return Corpus(sentences, fingerprint(sentences))


@hookimpl
def register_sources(register: Register) -> None:
    register("lines", Lines)
