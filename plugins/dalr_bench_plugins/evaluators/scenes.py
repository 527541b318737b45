"""Similarity and transfer on the world of scenes, where the truth is known exactly."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from dalr_bench import Evaluation, Predictions, Score, Subject, SuiteError, hookimpl
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.scenes import VERSION
from dalr_bench_plugins.scenes.gold import TOP
from dalr_bench_plugins.scenes.measures import Floats, cosines, precedence, probe, spearman
from dalr_bench_plugins.scenes.pairs import KINDS, Examiner, Pair, sts_pairs
from dalr_bench_plugins.scenes.probes import QUESTIONS, Probe, probe_rows
from dalr_bench_plugins.scenes.world import World, WorldSize
from dalr_bench_plugins.senteval.protocol import signature

TASK = "Scenes-STS"


class Scenes:
    """Spearman's rho of cosine similarity against gold on fresh scenes, and probes by words unseen in their training.

    Main score `Scenes-STS`; `Scenes-STS/KIND` is the same within pairs of one kind (focus, edit, swap, theme, random).
    `Scenes-STS/paraphrase` is the probability that a paraphrase outranks a pair of different meaning (its gold is
    constant). `Scenes-colour` and `Scenes-shape`: accuracy of a logistic regression for the first colour and shape a
    sentence names, trained on one half of the synonyms and tested on the other. `split: dev` scores similarity only.

    * `pairs`: sentence pairs, equally many per unit of gold.
    * `probes`: whether the two probes are fitted; `rows`: sentences to train one on, and as many to test it; `penalty`: its
      L2 strength.
    * `seed` draws the tests; nothing a source is set to moves them.
    * `shapes`, `colours`, `synonyms`, `world`, `themes`, `skew`, `max_words`: the world; give it what the source was given.

    Source: this project's own tests, after the form of STS (rank correlation of cosines) and of SentEval's transfer
    tasks (a logistic regression on frozen rows); gold as in `scenes/gold.py`. Swaps are a seventh of the draws and two
    sevenths of the edits, so that a bag of the right concepts stays near 0.9 and binding is what is left to win.

    Raises SuiteError where probes are asked for in a world without synonyms.
    """

    def __init__(
        self,
        split: Literal["dev", "test"] = "test",
        pairs: Annotated[int, Field(ge=50)] = 1500,
        probes: bool = True,
        rows: Annotated[int, Field(ge=50)] = 800,
        penalty: Annotated[float, Field(gt=0)] = 10.0,
        seed: int = 12345,
        shapes: Annotated[int, Field(ge=2, le=10)] = 6,
        colours: Annotated[int, Field(ge=2, le=8)] = 6,
        synonyms: Annotated[int, Field(ge=1, le=5)] = 4,
        world: int = 0,
        themes: Annotated[int, Field(ge=1)] = 6,
        skew: Annotated[float, Field(ge=0, le=1)] = 0.6,
        max_words: Annotated[int, Field(ge=11)] = 13,
    ) -> None:
        self.split, self.count, self.rows, self.penalty, self.seed = split, pairs, rows, penalty, seed
        self.probing = probes and split == "test"
        if self.probing and synonyms < 2:
            raise SuiteError(
                "scenes: probes train on one half of the synonyms and test on the other; synonyms 1 has no halves"
            )
        self.examiner = Examiner(World(WorldSize(shapes, colours, synonyms, world, themes, skew, max_words)))

    @cached_property
    def pairs(self) -> list[Pair]:
        """The pairs of this split."""
        return sts_pairs(self.examiner, f"scenes/sts/{self.seed}/{self.split}", self.count)

    @cached_property
    def probe_sets(self) -> tuple[list[Probe], list[Probe]]:
        """Training and test rows of the probes."""
        first, second = (
            probe_rows(self.examiner, f"scenes/probe/{self.seed}/{half}", self.rows, half) for half in (False, True)
        )
        return first, second

    def sentences(self) -> Iterator[str]:
        """Both sides of every pair, and the probes' sentences."""
        for pair in self.pairs:
            yield pair.left
            yield pair.right
        for row in (row for rows in self.probe_sets for row in rows) if self.probing else ():
            yield row.sentence

    def evaluate(self, subject: Subject) -> Evaluation:
        """Scores, the similarity first, with per-pair cosines and gold, and per-sentence labels of the probes."""
        left_ND = subject.encode([pair.left for pair in self.pairs])
        right_ND = subject.encode([pair.right for pair in self.pairs])
        predicted = cosines(left_ND, right_ND)
        gold = np.array([pair.gold for pair in self.pairs])
        kinds = [pair.kind for pair in self.pairs]
        facts = {"generator": VERSION, "world": self.examiner.world.size, "seed": self.seed}
        protocol = signature("scenes", subject, {**facts, "pairs": self.count, "similarity": "cosine"})
        main = Score(TASK, "spearman", spearman(predicted, gold), len(gold), self.split, "all", protocol)
        scores = [main, *self._by_kind(predicted, gold, np.array(kinds), protocol)]
        kept = [Predictions(TASK, predicted, gold, kinds)]
        if self.probing:
            facts |= {"rows": self.rows, "penalty": self.penalty, "probe": "synonym halves"}
            kept += self._probes(subject)
            protocol = signature("scenes", subject, facts)
            scores += [_accuracy(item, protocol) for item in kept[1:]]
        return Evaluation(scores, kept)

    def _by_kind(
        self, predicted: Floats, gold: Floats, kinds: np.ndarray[tuple[int], np.dtype[np.str_]], protocol: str
    ) -> Iterator[Score]:
        for kind in KINDS:
            here = kinds == kind
            if kind == "paraphrase":
                value, metric = precedence(predicted[here], predicted[gold < TOP]), "auc"
            else:
                value, metric = spearman(predicted[here], gold[here]), "spearman"
            yield Score(f"{TASK}/{kind}", metric, value, int(here.sum()), self.split, None, protocol)

    def _probes(self, subject: Subject) -> list[Predictions]:
        train, test = self.probe_sets
        train_ND, test_ND = (subject.encode([row.sentence for row in rows]) for rows in (train, test))
        kept = []
        for question in QUESTIONS:
            known, gold = (np.array([getattr(row, question) for row in rows], np.int64) for rows in (train, test))
            kept.append(Predictions(f"Scenes-{question}", probe(train_ND, known, test_ND, self.penalty), gold))
        return kept


def _accuracy(kept: Predictions, protocol: str) -> Score:
    return Score(
        kept.task, "accuracy", float(np.mean(kept.predicted == kept.gold)), len(kept.gold), "test", None, protocol
    )


@hookimpl
def register_evaluators(register: Register) -> None:
    register("scenes", Scenes)
