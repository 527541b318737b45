"""The captions MCSE trains on, in its own files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from dalr_bench import Corpus, DataError, DataPath, Fault, Requirement, hookimpl
from dalr_bench.errors import counted
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.reading.pairs import Choice, Entry, paired_corpus
from dalr_bench_plugins.reading.text import existing, numbered_lines

_HOW = "the authors' data: follow the download links of uds-lsv/MCSE (flickr_random_captions.txt, flickr_resnet.hdf5)"


class MCSE:
    """MCSE's `flickr_random_captions.txt` or `coco_random_captions.txt`: one caption a photo, one a line.

    `captions` is that file; `limit` takes its first lines. Line i belongs to row i of the features file (`features`,
    [n, 2048] ResNet rows): give that file to a `stored` teacher (uds-lsv/MCSE@3031426:src/data.py:29-51). With
    `features` the two counts are compared here: MCSE's own reader cuts the longer of the two silently. There are no
    photos: losses read the teacher's rows.

    Raises DataError with file and line: a blank line, a file that is not there, counts that differ.
    """

    def __init__(
        self, captions: DataPath, features: DataPath | None = None, limit: Annotated[int, Field(ge=1)] | None = None
    ) -> None:
        self.captions = Path(captions)
        self.features = Path(features) if features else None
        self.limit = limit

    @staticmethod
    def requires(options: Mapping[str, Any]) -> list[Requirement]:
        """The authors' captions and features."""
        found = [Requirement("data", options["captions"], _HOW)]
        features = options.get("features")
        return [*found, Requirement("features", features, _HOW)] if features else found

    def load(self) -> Corpus:
        """Read the captions; every line is another photo."""
        path = existing(self.captions)
        entries = [Entry(None, [line], str(path), number) for number, line in numbered_lines(path)]
        if self.features is not None:
            self._compare(path, len(entries))
        return paired_corpus(entries, Choice(limit=self.limit))

    def _compare(self, path: Path, lines: int) -> None:
        from dalr_bench_plugins.reading.arrays import array_shape

        rows = array_shape(self.features, "features")[0] if self.features else lines
        if rows != lines:
            fault = f"{counted(lines, 'caption')}, but {counted(rows, 'row')} in {self.features}"
            raise DataError(Fault(fault, file=str(path), line=lines))


@hookimpl
def register_sources(register: Register) -> None:
    register("mcse", MCSE)
