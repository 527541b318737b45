"""Semantic textual similarity: Spearman between cosine and human scores on STS12-16, STS-B and SICK-R.

Protocol: princeton-nlp/SimCSE@49fa580 SentEval/senteval/sts.py, the one whose "all" numbers papers print.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dalr_bench import DataError, DataPath, Evaluation, Predictions, Requirement, Score, Subject, SuiteError, hookimpl
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.senteval.files import find_tree
from dalr_bench_plugins.senteval.pairs import YEARS, PairSet, Subset, load_language, load_sick, load_stsb, load_year
from dalr_bench_plugins.senteval.protocol import signature
from dalr_bench_plugins.senteval.requirements import language_contents, set_contents, set_requirements

SetName = Literal["STS12", "STS13", "STS14", "STS15", "STS16", "STS-B", "SICK-R"]
SEVEN: tuple[SetName, ...] = ("STS12", "STS13", "STS14", "STS15", "STS16", "STS-B", "SICK-R")
Language = Annotated[str, Field(pattern="^[a-z]{2}$")]


class Sts:
    """Spearman's rho of cosine similarity against gold, per set, per subset, and the mean over the seven sets.

    `aggregation`: `all` concatenates the subsets of a set before ranking (what papers print), `mean` and `wmean`
    average the subsets' own correlations, plainly or by their number of pairs. `split: dev` scores STS-B's dev set (and
    SICK's trial set, if named), for selection during training. `sick: all` takes SICK's three files together, as mteb
    does. `sets`: only these; `root`: another folder of data than the run's. `languages` adds STS-B's test pairs in
    those languages. STS13 comes without SMT. `sizes: any` takes sets that are not of their official size. A set whose
    folder is absent is reported as missing, and then there is no average either.

    Raises DataError (file and line) for missing or malformed files, or where no asked set is there at all.
    Source: princeton-nlp/SimCSE@49fa580:SentEval/senteval/sts.py.
    """

    bench = "sts"

    def __init__(
        self,
        sets: list[SetName] | None = None,
        split: Literal["test", "dev"] = "test",
        aggregation: Literal["all", "mean", "wmean"] = "all",
        sick: Literal["test", "all"] = "test",
        languages: list[Language] | None = None,
        sizes: Literal["official", "any"] = "official",
        root: DataPath | None = None,
        *,
        data: str | Path | None = None,
    ) -> None:
        self.split, self.aggregation, self.sick = split, aggregation, sick
        default: Sequence[SetName] = SEVEN if split == "test" else ("STS-B",)
        names = list(sets) if sets else [] if languages else list(default)
        without_dev = [name for name in names if split == "dev" and name in YEARS]
        if without_dev:
            raise SuiteError(f"sts: {', '.join(without_dev)} has no dev split; only STS-B and SICK-R have one")
        folder = Path(root) if root is not None else Path(data) if data is not None else None
        self._folder = folder
        self._aside: list[PairSet] = []  # encoded and not scored: see `plain`
        self.sets, self.missing = _load(folder, names, languages or [], self._options(sizes))
        if not self.sets:
            raise DataError(f"none of the asked sets is under '{folder}': {', '.join(self.missing)}")

    @staticmethod
    def requires(options: Mapping[str, Any]) -> list[Requirement]:
        """The folders of the asked sets."""
        return set_requirements(options, _asked(options))

    @staticmethod
    def identity(options: Mapping[str, Any]) -> dict[str, Any]:
        """The asked sets as they are, in place of where they lie."""
        found = set_contents(options, _asked(options)) | language_contents(options)
        return {"root": found} if found else {}

    def _options(self, sizes: str) -> Mapping[str, str]:
        return {"split": self.split, "sick": self.sick if self.split == "test" else "dev", "sizes": sizes}

    def sentences(self) -> Iterator[str]:
        """Both sides of every pair."""
        for subset in (subset for found in self.sets for subset in found.subsets):
            yield from subset.left
            yield from subset.right

    def evaluate(self, subject: Subject) -> Evaluation:
        """Scores (the average first, where the seven sets are there) and per-pair cosines with their gold."""
        facts = {"aggregation": self.aggregation, "sts13": "without SMT", "sick": self.sick, "similarity": "cosine"}
        protocol = signature("sts", subject, facts)
        columns: list[Score] = []
        parts: list[Score] = []
        predictions: list[Predictions] = []
        for subset in (subset for found in self._aside for subset in found.subsets):
            subject.encode(subset.left)
            subject.encode(subset.right)
        for found in self.sets:
            cosines = [cosine(subject.encode(subset.left), subject.encode(subset.right)) for subset in found.subsets]
            own = [spearman(values, subset.gold) for values, subset in zip(cosines, found.subsets, strict=True)]
            kept = _predictions(found, cosines)
            predictions.append(kept)
            value = self._aggregate(kept, own, [len(subset.gold) for subset in found.subsets])
            columns.append(
                Score(found.task, "spearman", value, len(kept.gold), found.split, self.aggregation, protocol)
            )
            if len(found.subsets) > 1:
                parts += [
                    Score(f"{found.task}/{subset.name}", "spearman", rho, len(subset.gold), found.split, None, protocol)
                    for subset, rho in zip(found.subsets, own, strict=True)
                ]
        return Evaluation([*self._average(columns), *columns, *parts], predictions, self.missing)

    def by_task(self) -> Mapping[str, Sts]:
        """Itself with one set each."""
        return {found.task: self._only(found) for found in self.sets}

    def joined(self, results: Sequence[Evaluation]) -> Evaluation:
        """As `evaluate` of all sets: a set's own score comes first in its result, its subsets after it."""
        columns = [result.scores[0] for result in results]
        parts = [score for result in results for score in result.scores[1:]]
        kept = [item for result in results for item in result.predictions]
        return Evaluation([*self._average(columns), *columns, *parts], kept, self.missing)

    def _only(self, found: PairSet) -> Sts:
        out = copy(self)
        out.sets, out.missing = [found], []
        out._aside = self._aside if found is self.sets[0] else []
        return out

    def plain(self, whole: bool = False) -> Sts:
        """Itself with the pairs of each subset as the toolkit batches them: by the words of both sides, then gold.

        `whole` also encodes what the toolkit encodes and does not need for a test score: the train and dev pairs of
        STS-B and SICK (princeton-nlp/SimCSE@49fa580:SentEval/senteval/sts.py:STSBenchmarkEval, SICKRelatednessEval).
        """
        out = copy(self)
        out.sets = [_in_toolkit_order(found) for found in self.sets]
        if whole and self.split == "test" and self._folder is not None:
            out._aside = [_in_toolkit_order(found) for found in _other_splits(self._folder, self.sets)]
        return out

    def _aggregate(self, kept: Predictions, own: Sequence[float], sizes: Sequence[int]) -> float:
        if self.aggregation == "all":
            return spearman(kept.predicted, kept.gold)
        return float(np.average(own, weights=sizes if self.aggregation == "wmean" else None))

    def _average(self, columns: Sequence[Score]) -> list[Score]:
        seven = [score for score in columns if score.task in SEVEN]
        if len(seven) < len(SEVEN):
            return []
        mean = sum(score.value for score in seven) / len(seven)
        n, protocol = sum(score.n for score in seven), seven[0].protocol
        return [Score("STS", "avg", mean, n, self.split, self.aggregation, protocol)]


def _asked(options: Mapping[str, Any]) -> Sequence[str]:
    default: Sequence[str] = () if options["languages"] else SEVEN if options["split"] == "test" else ("STS-B",)
    sets: Sequence[str] = options["sets"] or default
    return sets


def cosine(left_ND: NDArray[np.float32], right_ND: NDArray[np.float32]) -> NDArray[np.float64]:
    """Cosine of row pairs, [n]; 0 where a row is zero (the toolkit's nan_to_num).

    Rounded to float32: what is finer is noise of the batch's shape, and identical sentences must tie (the toolkit
    ranks its identical pairs by that noise: its STS12 SMTeuroparl and SMTnews move by up to 0.0007 with the order of
    batches).
    """
    left, right = left_ND.astype(np.float64), right_ND.astype(np.float64)
    norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    dots = np.einsum("nd,nd->n", left, right)
    fine = np.divide(dots, norms, out=np.zeros_like(dots), where=norms > 0)
    rounded: NDArray[np.float64] = fine.astype(np.float32).astype(np.float64)
    return rounded


def spearman(predicted: NDArray[np.float64], gold: NDArray[np.float64]) -> float:
    """Pearson of average ranks. 0 where one side is constant: such a predictor orders nothing."""
    from scipy.stats import rankdata

    left, right = rankdata(predicted), rankdata(gold)
    left, right = left - left.mean(), right - right.mean()
    scale = float(np.sqrt((left @ left) * (right @ right)))
    return float(left @ right) / scale if scale > 0 else 0.0


def _in_toolkit_order(found: PairSet) -> PairSet:
    return replace(found, subsets=[_sorted(subset) for subset in found.subsets])


def _other_splits(folder: Path, sets: Sequence[PairSet]) -> list[PairSet]:
    """The train and dev pairs of those of `sets` that have any."""
    names = [found.task for found in sets]
    tree = find_tree(folder)
    found = [load_stsb(tree, split) for split in ("train", "dev") if "STS-B" in names]
    found += [load_sick(tree, split) for split in ("train", "dev") if "SICK-R" in names]
    return [each for each in found if each is not None]


def _sorted(subset: Subset) -> Subset:
    pairs = zip(subset.left, subset.right, subset.gold.tolist(), strict=True)
    left, right, gold = zip(*sorted(pairs, key=lambda it: (len(it[0].split()), len(it[1].split()), it[2])), strict=True)
    return replace(subset, left=list(left), right=list(right), gold=np.array(gold))


def _predictions(found: PairSet, cosines: Sequence[NDArray[np.float64]]) -> Predictions:
    group = [subset.name for subset in found.subsets for _ in subset.gold]
    gold = np.concatenate([subset.gold for subset in found.subsets])
    return Predictions(found.task, np.concatenate(list(cosines)), gold, group)


def _load(
    folder: Path | None, names: Sequence[SetName], languages: Sequence[str], options: Mapping[str, str]
) -> tuple[list[PairSet], list[str]]:
    """Sets that are there, and the names of those that are not."""
    loaded: dict[str, PairSet | None] = {}
    official = options["sizes"] == "official"
    if names:
        tree = find_tree(folder)
        for name in names:
            loaded[name] = _load_set(tree, name, options, official)
    for language in languages:
        loaded[f"STS-B ({language})"] = load_language(folder, language) if folder is not None else None
    return [found for found in loaded.values() if found is not None], [
        name for name, found in loaded.items() if found is None
    ]


def _load_set(tree: Path, name: SetName, options: Mapping[str, str], official: bool) -> PairSet | None:
    if name == "STS-B":
        return load_stsb(tree, options["split"], official)
    if name == "SICK-R":
        return load_sick(tree, options["sick"], official)
    return load_year(tree, name, official)


@hookimpl
def register_evaluators(register: Register) -> None:
    register("sts", Sts)
