"""SentEval's transfer tasks: what a linear classifier on frozen sentence rows gets right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dalr_bench import DataError, DataPath, Evaluation, Predictions, Requirement, Score, Subject, hookimpl
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.senteval.classes import LOADERS, PROBING, ClassSet, Labelled, load_probing, texts
from dalr_bench_plugins.senteval.files import find_tree
from dalr_bench_plugins.senteval.protocol import signature
from dalr_bench_plugins.senteval.recipe import MODES, Examples, Rows
from dalr_bench_plugins.senteval.requirements import set_contents, set_requirements

if TYPE_CHECKING:
    from dalr_bench_plugins.senteval.probe import Probed

Task = Literal["MR", "CR", "SUBJ", "MPQA", "SST", "TREC", "MRPC", "SST5", "SICK-E"]
SEVEN: tuple[Task, ...] = ("MR", "CR", "SUBJ", "MPQA", "SST", "TREC", "MRPC")


class SentEval:
    """Accuracy of logistic regression on frozen rows: MR CR SUBJ MPQA SST TREC MRPC, their mean, and further sets by
    name.

    Metrics: `acc` (test, or nested cross-validation where a task has no test set), `devacc` (the cross-validation or
    dev accuracy that chose the penalty; some papers print this one), for MRPC also `f1`. The mean over the seven tasks
    exists only where all seven are there. `mode: test` is what papers print (10 folds, Adam); `fast` is the toolkit's
    quick setting (5 folds, RMSprop). `solver: exact` reproduces the toolkit's arithmetic; `batched` trains all folds
    and penalties in shared minibatches, is off by up to a point, and says so in the protocol; `serial` fits one after
    another (slow). `probing` adds the probing tasks whose files are in SentEval's `probing` folder. Pairs (MRPC,
    SICK-E) are seen as `[|u-v|, u*v]`. `tasks`: only these (SST5 and SICK-E run only when named). `root`: another
    folder of data than the run's. `sizes: any` takes sets that are not of their official size.

    Raises DataError (file and line) for missing or malformed files, or where no asked set is there at all.
    Source: princeton-nlp/SimCSE@49fa580:evaluation.py and SentEval/senteval/.
    """

    timed_as = "probe"
    bench, bench_against = "transfer", {"solver": "serial"}

    def __init__(
        self,
        tasks: list[Task] | None = None,
        mode: Literal["test", "fast"] = "test",
        solver: Literal["exact", "batched", "serial"] = "exact",
        probing: bool = False,
        sizes: Literal["official", "any"] = "official",
        root: DataPath | None = None,
        *,
        data: str | Path | None = None,
    ) -> None:
        self.split, self.mode, self.solver = "test", mode, solver
        folder = Path(root) if root is not None else Path(data) if data is not None else None
        names: Sequence[str] = tasks if tasks is not None else SEVEN
        loaded: dict[str, ClassSet | None] = {}
        if names:
            tree = find_tree(folder)
            loaded = {name: LOADERS[name](tree, sizes == "official") for name in names}
        if probing:
            tree = find_tree(folder, "probing")
            loaded |= {name: load_probing(tree, name) for name in PROBING}
        self.sets = [found for found in loaded.values() if found is not None]
        self.missing = [name for name, found in loaded.items() if found is None]
        if not self.sets:
            raise DataError(
                f"none of the asked sets is under '{folder}': {', '.join(self.missing) or 'none was asked for'}"
            )

    @staticmethod
    def requires(options: Mapping[str, Any]) -> list[Requirement]:
        """The folders of the asked sets."""
        probing = set_requirements(options, (), "probing") if options["probing"] else []
        names = SEVEN if options["tasks"] is None else options["tasks"]
        return [*(set_requirements(options, names) if names else []), *probing]

    @staticmethod
    def identity(options: Mapping[str, Any]) -> dict[str, Any]:
        """The asked sets as they are, in place of where they lie."""
        names = SEVEN if options["tasks"] is None else options["tasks"]
        found = set_contents(options, names) if names else {}
        found |= set_contents(options, (), "probing") if options["probing"] else {}
        return {"root": found} if found else {}

    def sentences(self) -> Iterator[str]:
        """All sentences of all sets."""
        for found in self.sets:
            yield from texts(found)

    def evaluate(self, subject: Subject) -> Evaluation:
        """Scores (the mean first, where the seven tasks are there) and each test guess with its gold."""
        from dalr_bench_plugins.senteval.probe import probe, solver

        facts = {
            "mode": self.mode,
            "solver": self.solver,
            "classifier": "logistic regression",
            "pairs": "|u-v| and u*v",
        }
        protocol = signature("senteval", subject, facts)
        recipe, solve = MODES[self.mode], solver(self.solver)
        scores: list[Score] = []
        predictions: list[Predictions] = []
        for found in self.sets:
            rows = {split: features(subject, part) for split, part in found.splits.items()}
            result = probe(rows, recipe, solve)
            scores += _scores(found.task, result, len(rows.get("dev", rows["train"]).label_N), protocol)
            predictions.append(Predictions(found.task, result.predicted, result.gold))
        return Evaluation([*_averages(scores), *scores], predictions, self.missing)

    def by_task(self) -> Mapping[str, SentEval]:
        """Itself with one set each: the fits of a task are what an interruption costs."""
        return {found.task: self._only(found) for found in self.sets}

    def joined(self, results: Sequence[Evaluation]) -> Evaluation:
        """As `evaluate` of all sets."""
        scores = [score for result in results for score in result.scores]
        kept = [item for result in results for item in result.predictions]
        return Evaluation([*_averages(scores), *scores], kept, self.missing)

    def _only(self, found: ClassSet) -> SentEval:
        out = copy(self)
        out.sets, out.missing = [found], []
        return out


def features(subject: Subject, part: Labelled) -> Examples:
    """What the classifier sees: u, or `[|u-v|, u*v]` for pairs."""
    left = subject.encode(part.left)
    if part.right is None:
        return Examples(left, part.label_N)
    right = subject.encode(part.right)
    return Examples(np.concatenate([np.abs(left - right), left * right], axis=1), part.label_N)


def _scores(task: str, result: Probed, dev_size: int, protocol: str) -> list[Score]:
    size = len(result.gold)
    out = [
        Score(task, "acc", result.acc, size, "test", None, protocol),
        Score(task, "devacc", result.devacc, dev_size, "dev", None, protocol),
    ]
    if task == "MRPC":
        out.insert(1, Score(task, "f1", f1(result.predicted, result.gold), size, "test", None, protocol))
    return out


def f1(predicted: Rows, gold: Rows) -> float:
    """Harmonic mean of precision and recall of class 1, its percentage rounded to two decimals as the toolkit prints
    it.
    """
    hits, guessed, real = int((predicted & gold).sum()), int(predicted.sum()), int(gold.sum())
    return round(100 * 2 * hits / max(1, guessed + real), 2) / 100


def _averages(scores: Sequence[Score]) -> list[Score]:
    """Means over the seven tasks, of test and of dev accuracy; none where a task is missing."""
    out: list[Score] = []
    for metric, name, split in (("acc", "avg", "test"), ("devacc", "avg_devacc", "dev")):
        seven = [score for score in scores if score.metric == metric and score.task in SEVEN]
        if len(seven) == len(SEVEN):
            mean = sum(score.value for score in seven) / len(seven)
            out.append(Score("transfer", name, mean, sum(score.n for score in seven), split, None, seven[0].protocol))
    return out


@hookimpl
def register_evaluators(register: Register) -> None:
    register("senteval", SentEval)
