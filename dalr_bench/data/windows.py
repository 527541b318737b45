"""A corpus in shards as a run reads it: window by window, the next one prepared by a thread while steps are made of this one.

The thread reads, tokenises and writes. It asks no teacher and draws nothing at random: frozen models and torch's generators
belong to the thread that trains.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from dalr_bench.cache import READY, cache_root
from dalr_bench.cache_folder import mark_used
from dalr_bench.caches import release
from dalr_bench.data.passes import Passes, StoppedError, opening
from dalr_bench.data.segments import kept_in
from dalr_bench.data.spool import Spool
from dalr_bench.data.tokens import TokenStore
from dalr_bench.errors import DataError
from dalr_bench.streamed import Shards
from dalr_bench.types import Corpus

FOLDER = "windows"
Tokenise = Callable[[Corpus], Sequence[TokenStore]]


@dataclass
class Window:
    """One window, read and tokenised. `last`: nothing of its pass comes after it."""

    corpus: Corpus
    tokens: Sequence[TokenStore]
    last: bool
    spool: Spool | None

    def asked(self) -> None:
        """Teachers have given their rows: sentences and pictures are needed no more."""
        self.corpus = replace(self.corpus, sentences=(), columns={}, images=None)
        if self.spool is not None:
            self.spool.close()
            self.spool = None

    def drop(self) -> None:
        """Its stores go, unless another process has them open. Those of a whole corpus stay, as any corpus's do."""
        self.asked()
        self.tokens = ()
        if self.corpus.stores is not None:
            release(Path(self.corpus.stores))


class Windows:
    """Windows of one stream. Where all rows fit into one, that is an ordinary corpus with ordinary stores."""

    def __init__(self, shards: Shards, seed: int, stream: str, tokenise: Tokenise) -> None:
        self.window, self._passes, self._tokenise = shards.window, Passes(shards, seed, stream), tokenise
        self._total = shards.rows if shards.rows is not None else self._passes.counts.total
        self._surely = 0
        self._ready: tuple[tuple[int, int], Window] | None = None
        self._ahead: tuple[tuple[int, int], threading.Thread, list[Window | BaseException]] | None = None

    @property
    def single(self) -> bool:
        """Whether one window holds all rows."""
        return self._total is not None and self._total <= self.window

    def rows(self, at_least: int | None = None) -> int | None:
        """Rows of a pass. None where that is not known yet, but there are at least so many: the first pass is read as far."""
        if self._total is None and at_least is not None and at_least > self._surely:
            key = (0, at_least // self.window - 1)
            self._forget()
            self._ready = key, self._found(key)
        return self._total

    def take(self, epoch: int, number: int) -> Window:
        """That window, waited for. The caller drops it."""
        key = (epoch, number)
        if self._ready is None or self._ready[0] != key:
            self._forget()
            return self._found(key)
        ready, self._ready = self._ready, None
        return ready[1]

    def ahead(self, epoch: int, number: int) -> None:
        """Prepare that window meanwhile."""
        self._cancel()
        found: list[Window | BaseException] = []

        def work() -> None:
            try:
                found.append(self._read((epoch, number)))
            except BaseException as error:  # raised again where the window is asked for
                found.append(error)

        thread = threading.Thread(target=work, name="windows", daemon=True)
        self._ahead = (epoch, number), thread, found
        thread.start()

    def close(self) -> None:
        """Nothing is prepared any more; what was, goes."""
        self._cancel()
        self._forget()

    def _forget(self) -> None:
        if self._ready is not None:
            self._ready[1].drop()
            self._ready = None

    def _found(self, key: tuple[int, int]) -> Window:
        if self._ahead is None or self._ahead[0] != key:
            self._cancel()
            return self._read(key)
        _, thread, found = self._ahead
        thread.join()
        self._ahead = None
        if isinstance(found[0], BaseException):
            raise found[0]
        return found[0]

    def _cancel(self) -> None:
        if self._ahead is None:
            return
        _, thread, found = self._ahead
        self._passes.stop.set()
        thread.join()
        self._passes.stop.clear()
        self._ahead = None
        if isinstance(found[0], Window):
            found[0].drop()
        elif not isinstance(found[0], StoppedError | Exception):
            raise found[0]

    def _read(self, key: tuple[int, int]) -> Window:
        place = cache_root() / FOLDER
        spool = Spool(place) if self._passes.shards.pictures else None
        try:
            corpus, last = self._passes.window(*key, spool)
            self._learn(key, len(corpus.sentences), last)
            if not self.single and corpus.sentences:
                corpus = kept_in(corpus, _folder(place / corpus.fingerprint[:32], corpus))
            return Window(corpus, self._tokenise(corpus) if corpus.sentences else (), last, spool)
        except BaseException:
            if spool is not None:
                spool.close()
            raise

    def _learn(self, key: tuple[int, int], count: int, last: bool) -> None:
        """What a window that was read says of the number of rows. Raises DataError where it was said to be another one."""
        epoch, number = key
        found = self._passes.counts.total if last else None
        self._surely = max(self._surely, (number + 1) * self.window if epoch == 0 and not last else 0)
        reached = number * self.window + count
        if self._total is None:
            self._total = found
        wrong = found is not None and found != self._total
        if wrong or (self._total is not None and not last and reached >= self._total):
            held = f"{found}" if found is not None else f"more than {self._total}"
            raise DataError(
                f"{self._passes.shards.names[0]}: {self._total} rows were said to be in the shards, which hold {held}"
            )


def first_rows(shards: Shards, count: int) -> Corpus:
    """The first rows in the order in which shards are listed, by which a stream is known before it is trained on."""
    place = cache_root() / FOLDER
    corpus, spool = opening(shards, count, place)
    if spool is not None:
        pictures = [corpus.images[number] for number in range(len(corpus.images or ()))] if corpus.images else []
        spool.close()
        corpus = replace(corpus, images=pictures)
    return kept_in(corpus, place / corpus.fingerprint[:32])


@contextmanager
def passing(corpora: Iterable[Corpus]) -> Iterator[None]:
    """What is stored inside of the block for corpora with stores of their own goes at its end."""
    folders = [_folder(Path(corpus.stores), corpus) for corpus in corpora if corpus.stores is not None]
    try:
        yield
    finally:
        for folder in folders:
            release(folder)


def _folder(folder: Path, corpus: Corpus) -> Path:
    """The window's own folder of stores, marked as ours, known to `dalr-bench cache`."""
    folder.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError), (folder / READY).open("x") as note:
        json.dump({"sentences": len(corpus.sentences)}, note)
    mark_used(folder)
    return folder
