"""Captions, with or without pictures, in tar shards as webdataset has them; read whole, or as a stream larger than a disk."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Annotated, Any

from pydantic import Field

from dalr_bench import Corpus, DataError, DataPath, Fault, PluginError, Requirement, Sample, Shards, hookimpl
from dalr_bench.errors import nearest
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.reading.records import WINDOW, corpus_of, read_as
from dalr_bench_plugins.reading.shards import listed
from dalr_bench_plugins.reading.tars import records


class Webdataset:
    """Records in .tar shards: members that share a name up to its first dot (`000017.txt`, `000017.jpg`).

    * `shards`: names below `root` (the working folder without it), or addresses (http, https, hf; s3, gs, az through
      fsspec). Braces count, `{00000..00999}.tar`; `*` finds files, not those of web servers. A connection that ends is gone on with.
    * `text`: the ending of the member with the sentence. With `field` that member is JSON and the field holds the sentence, or a
      list of captions. `columns`: further sentences by role: a field where there is a `field`, else an ending.
    * `image`: the ending of the picture (`jpg`; several: `jpg;png`). Left out, pictures are not read.
    * `skip_blank`: pass over records without a sentence instead of refusing them.
    * `streaming`: `window` rows at a time are tokenised, asked of teachers, trained on and dropped. `rows` says how many the shards
      hold; it is needed by `train.epochs` and `mix: interleave`, and checked.

    An identity counts shards by name, size, first and last 64 KiB, addresses by size and ETag. Source: webdataset/webdataset.
    Raises DataError with shard and member: a missing or cut shard, an address with a password, a record without sentence
    or picture, JSON that is none.
    """

    def __init__(
        self,
        shards: str,
        root: DataPath | None = None,
        text: str = "txt",
        field: str | None = None,
        columns: dict[str, str] | None = None,
        image: str | None = None,
        skip_blank: bool = False,
        streaming: bool = False,
        window: Annotated[int, Field(ge=2)] = WINDOW,
        rows: Annotated[int, Field(ge=2)] | None = None,
    ) -> None:
        if find_spec("webdataset") is None:
            raise PluginError("webdataset needs a library: pip install 'dalr-bench[webdataset]'")
        self.found = listed(root, shards)
        self.text, self.field, self.columns = text.lower(), field, columns or {}
        self.images = tuple(image.lower().split(";")) if image else ()
        self.skip_blank, self.streaming, self.window, self.rows = skip_blank, streaming, window, rows

    @staticmethod
    def requires(options: Mapping[str, Any]) -> list[Requirement]:
        """The folder of the shards. Addresses are read as training goes, so nothing is fetched before."""
        return [Requirement("data", options["root"], "a folder of .tar shards")] if options.get("root") else []

    @staticmethod
    def identity(options: Mapping[str, Any]) -> dict[str, Any]:
        """The shards as they are, in place of how they were named."""
        found = listed(options["root"], options["shards"])
        return {"root": None, "shards": [[shard.name, shard.fingerprint] for shard in found]}

    def shards(self) -> Shards | None:
        """For a stream in windows; None where it was not asked to be one."""
        return self._shards() if self.streaming else None

    def load(self) -> Corpus:
        """All of it, in memory."""
        return corpus_of(self._shards())

    def _shards(self) -> Shards:
        how = [self.text, self.field, self.columns, self.images, self.skip_blank]
        return Shards(
            [shard.place for shard in self.found],
            [read_as(shard.fingerprint, how) for shard in self.found],
            self._read,
            self.window,
            self.rows,
            tuple(self.columns),
            bool(self.images),
        )

    def _read(self, number: int) -> Iterator[Sample]:
        shard = self.found[number].place
        endings = {self.text, *self.images, *(() if self.field else self.columns.values())}
        seen: set[str] = set()
        any_text = False
        for record in records(shard, endings):
            seen |= record["__others__"]
            any_text |= self.text in record
            sample = self._sample(shard, record)
            if sample is not None:
                yield sample
        if not any_text:
            raise DataError(Fault(f"no member ends in .{self.text}. {nearest(self.text, seen)}", file=shard))

    def _sample(self, shard: str, record: Mapping[str, Any]) -> Sample | None:
        if self.text not in record and not self.skip_blank:
            what = f"{record['__key__']}: has no member .{self.text}. {nearest(self.text, record['__others__'])}"
            raise DataError(Fault(what, file=shard))
        held = self._document(shard, record) if self.field else record
        texts = self._texts(shard, record["__key__"], held, self.field or self.text)
        if not texts:
            return None
        columns = {role: self._texts(shard, record["__key__"], held, name) for role, name in self.columns.items()}
        short = next((role for role, column in columns.items() if len(column) != len(texts)), None)
        if short is not None:
            raise DataError(Fault(f"{record['__key__']}: column '{short}' is empty or of another length", file=shard))
        picture = next((record[ending] for ending in self.images if ending in record), None)
        if self.images and picture is None:
            raise DataError(Fault(f"{record['__key__']}: has no member .{' or .'.join(self.images)}", file=shard))
        return Sample(texts, columns, picture)

    def _document(self, shard: str, record: Mapping[str, Any]) -> Mapping[str, Any]:
        member = f"{record['__key__']}.{self.text}"
        try:
            found = json.loads(record.get(self.text, b"{}"))
        except ValueError as error:
            raise DataError(Fault(f"{member}: not JSON: {error}", file=shard)) from None
        if not isinstance(found, dict):
            raise DataError(Fault(f"{member}: expected a JSON object", file=shard))
        return found

    def _texts(self, shard: str, key: str, held: Mapping[str, Any], name: str) -> list[str]:
        value = held.get(name)
        member = f"{key}.{self.text}, field {name}" if self.field else f"{key}.{name}"
        try:
            texts = [
                text.decode() if isinstance(text, bytes) else text
                for text in (value if isinstance(value, list) else [value])
            ]
        except UnicodeDecodeError as error:
            raise DataError(Fault(f"{member}: byte {error.start} is not UTF-8", file=shard)) from None
        sentences = [text.strip() for text in texts if isinstance(text, str) and text.strip()]
        if sentences and len(sentences) == len(texts):
            return sentences
        if self.skip_blank and all(text is None or (isinstance(text, str) and not text.strip()) for text in texts):
            return []
        raise DataError(Fault(f"{member}: expected a sentence, got {str(value)[:60]!r}", file=shard))


@hookimpl
def register_sources(register: Register) -> None:
    register("webdataset", Webdataset)
