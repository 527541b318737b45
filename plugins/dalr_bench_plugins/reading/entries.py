"""A JSON document that is one large object, an entry at a time: KDMCSE's features are gigabytes on one line."""

from __future__ import annotations

import codecs
import gzip
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from dalr_bench import DataError, Fault
from dalr_bench_plugins.reading.text import open_binary

_SPACE = re.compile(r"\s*")
_CHUNK = 1 << 20


def read_entries(path: Path) -> Iterator[tuple[int, str, Any]]:
    """(line, key, value) of each entry, in order. Raises DataError with the line where it stops being an object."""
    with open_binary(path) as handle:
        window = _Window(path, handle)
        window.expect("{")
        while True:
            key = window.value()
            line = window.line
            if not isinstance(key, str):
                raise window.fault("expected a name")
            window.expect(":")
            yield line, key, window.value()
            if window.expect(",}") == "}":
                return


class _Window:
    """A window on the text: values are taken at `at`, more text is added at its end when a value is not whole."""

    def __init__(self, path: Path, handle: BinaryIO) -> None:
        self.path = path
        self.line = 1
        self._handle = handle
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._json = json.JSONDecoder()
        self._text = ""
        self._at = 0

    def fault(self, what: str) -> DataError:
        """What is wrong where the window is."""
        return DataError(Fault(what, file=str(self.path), line=self.line))

    def expect(self, characters: str) -> str:
        """Take one of these characters."""
        self._skip_space()
        got = self._text[self._at : self._at + 1]
        if not got or got not in characters:
            wanted = " or ".join(characters)
            raise self.fault(f"not JSON: expected {wanted}, got {repr(got) if got else 'the end of the file'}")
        self._at += 1
        return got

    def value(self) -> Any:
        """Take one whole value."""
        self._skip_space()
        while True:
            try:
                value, end = self._json.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if self._more():
                    continue
                raise self.fault(f"not JSON: {error.msg}") from error
            # A number that ends where the window ends may go on.
            if end < len(self._text) or not self._more():
                self._advance(end)
                return value

    def _skip_space(self) -> None:
        while True:
            found = _SPACE.match(self._text, self._at)
            self._advance(found.end() if found else self._at)
            if self._at < len(self._text) or not self._more():
                return

    def _advance(self, to: int) -> None:
        self.line += self._text.count("\n", self._at, to)
        self._at = to

    def _more(self) -> bool:
        try:
            raw = self._handle.read(_CHUNK)
            added = self._utf8.decode(raw, final=not raw)
        except UnicodeDecodeError as error:
            raise self.fault(f"not UTF-8: {error.reason}") from error
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise self.fault(f"the gzip stream is cut or damaged ({error})") from error
        self._text = self._text[self._at :] + added
        self._at = 0
        return bool(raw)
