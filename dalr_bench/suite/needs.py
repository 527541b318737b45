"""The graph of a suite: which cells must be trained before which."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dalr_bench.suite.axes import Combination
from dalr_bench.suite.cell import Need
from dalr_bench.suite.document import Document
from dalr_bench.suite.faults import Faults
from dalr_bench.suite.trees import Trees

Key = tuple[str, Combination, int]
_MAX_CHAIN = 50


class Needs:
    """Needed cells by cell: the variant a part names, at the same axes, with the part's seed or the asking run's."""

    def __init__(self, document: Document, trees: Trees, faults: Faults) -> None:
        self.document, self.trees, self.faults = document, trees, faults
        self.circular: set[Key] = set()
        self._checked: set[Key] = set()

    def of(self, key: Key) -> Iterator[tuple[Need, Key]]:
        """What a cell needs. Names of no variant are left out: they are told with the cell's own faults."""
        name, combination, seed = key
        for need in self.trees.cell(name, combination).needs:
            if need.variant in self.document.variants:
                yield need, (need.variant, combination, seed if need.seed is None else need.seed)

    def closure(self, keys: Iterable[Key]) -> list[Key]:
        """These cells and all they need, each once."""
        asked = list(keys)
        seen = dict.fromkeys(asked)
        while asked:
            for _, wanted in self.of(asked.pop()):
                if wanted not in seen:
                    seen[wanted] = None
                    asked.append(wanted)
        return list(seen)

    def check(self, key: Key, chain: tuple[Key, ...] = ()) -> None:
        """Tell circles, from one cell down. What stands in one, or leads into one, is `circular`."""
        if key in self._checked:
            return
        for need, wanted in self.of(key):
            path, at = f"{need.entry.path}.{need.option}", need.entry.at(need.option)
            if wanted in (*chain, key):
                what = f"'{key[0]}' needs '{need.variant}', which needs it in turn; a run cannot be its own teacher"
                self.faults.add(what, path, at)
                self.circular.update((*chain, key))
            elif len(chain) >= _MAX_CHAIN:
                self.faults.add(f"more than {_MAX_CHAIN} runs would need one another in a row", path, at)
                self.circular.update((*chain, key))
            else:
                self.check(wanted, (*chain, key))
                if wanted in self.circular:
                    self.circular.add(key)
        self._checked.add(key)
