"""What a run is: the hash of all that decides its numbers. Equal cells are one run, whatever they are called."""

from __future__ import annotations

from typing import Any

from dalr_bench.errors import DataError
from dalr_bench.suite.axes import labels
from dalr_bench.suite.needs import Key, Needs
from dalr_bench.suite.tree import canonical, digest

# Changed whenever the meaning of an unchanged config changes: old results are then no longer taken for new ones.
SALT = "dalr-bench identity 1"


class Identities:
    """Identities by cell, and for each the cell whose name its run bears."""

    def __init__(self, needs: Needs) -> None:
        self.needs = needs
        self._found: dict[Key, str] = {}
        self._names: dict[int, dict[str, Key]] = {}

    def of(self, key: Key) -> str:
        """sha256 of `counted`. The cell must be sound; raises DataError where its data is missing."""
        if key not in self._found:
            self._found[key] = digest(canonical(self.counted(key)))
        return self._found[key]

    def counted(self, key: Key) -> dict[str, Any]:
        """All that counts: the cell's hash, the identities of the runs it needs, the seed."""
        name, combination, seed = key
        needs = [[f"{need.entry.path}.{need.option}", self.of(wanted)] for need, wanted in self.needs.of(key)]
        return {"salt": SALT, "cell": self.needs.trees.cell(name, combination).digest, "needs": needs, "seed": seed}

    def named(self, key: Key) -> Key:
        """The cell that names a run: the first of the whole suite that equals it. What else is chosen plays no part, so
        a run has the same id in every selection."""
        seed = key[2]
        if seed not in self._names:
            self._names[seed] = {}
            for cell in self._order(seed):
                identity = self.possible(cell)
                if identity is not None:
                    self._names[seed].setdefault(identity, cell)
        return self._names[seed].get(self.of(key), key)

    def _order(self, seed: int) -> list[Key]:
        """Cells that are rows, then those left out or only for support, which run where they are needed."""
        document = self.needs.document
        cells = [
            (variant, combination) for variant in document.variants.values() for combination in document.combinations
        ]
        cells.sort(key=lambda cell: cell[0].support or document.excluded(cell[0].name, labels(cell[1]), seed))
        return [(variant.name, combination, seed) for variant, combination in cells]

    def possible(self, key: Key) -> str | None:
        """The identity of a cell nobody may have asked for; None where it cannot be run."""
        self.needs.check(key)
        if key in self.needs.circular:
            return None
        if any(self.needs.trees.cell(name, combination).broken for name, combination, _ in self.needs.closure([key])):
            return None
        try:
            return self.of(key)
        except DataError:
            return None
