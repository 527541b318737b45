"""Image-text retrieval through the joint spaces a run's losses made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import comb
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dalr_bench import DataPath, Evaluation, OpenSpace, Predictions, Score, Subject, SuiteError, hookimpl
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.heldout.gallery import SEEDS, FreshScenes, Gallery, Integers, captioned, fresh
from dalr_bench_plugins.senteval.protocol import signature

TASK = "Retrieval"
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Retrieval:
    """R@k of pictures by caption and of captions by picture, in both directions, in a joint space of the run.

    `Retrieval/text-to-image` (R@k): share of captions whose picture is among the k most similar pictures;
    `Retrieval/image-to-text` (R@k): share of pictures any of whose captions is among the k most similar captions, as
    the field counts it. `Retrieval` (recall) is the mean over both directions and all of `at`. Where scores tie, the
    recall expected if equals stood in random order, so a space that maps everything to one point scores chance and not
    1. Chance levels are in the protocol.

    `space` names a loss of the run that owns a space; left out, every space is scored (with several, by name in the
    task). A run without that space (an untrained or text-only row) is reported as missing, not as 0. Pictures go to the
    space as they are, or by the rows of the image teacher it was trained on.

    Data: `scenes` takes options of the source of that name (unless said, 500 fresh scenes); or `root`: a folder with
    captions.jsonl, or a captions file of Flickr30k or COCO with `photos`, of which `keep` is the split. `split` is
    whose score this is.

    Source: Karpathy and Fei-Fei 2015 (the protocol; five captions a picture), as in VSE++ and CLIP. Raises DataError
    for missing or malformed files, SuiteError where `scenes` and `root` are both named.
    """

    def __init__(
        self,
        split: Literal["dev", "test"] = "test",
        space: str | None = None,
        at: list[Annotated[int, Field(ge=1)]] = [1, 5, 10],  # noqa: B006  # read, never changed
        scenes: FreshScenes | None = None,
        root: DataPath | None = None,
        photos: DataPath | None = None,
        keep: str | None = None,
    ) -> None:
        if root is not None and scenes is not None:
            raise SuiteError("retrieval: `scenes` and `root` are two data sets: name one")
        if not at:
            raise SuiteError("retrieval: `at` names no k")
        self.split, self.space, self.at = split, space, at
        self.gallery: Gallery = (
            fresh(scenes, {"scenes": 500, "seed": SEEDS[split]}) if root is None else captioned(root, photos, keep)
        )

    def sentences(self) -> Iterator[str]:
        """None: a joint space starts from rows of its own, before the encoder's head."""
        return iter(())

    def evaluate(self, subject: Subject) -> Evaluation:
        """The mean recall first; per query the expected hit at the first k (gold: always)."""
        names = [name for name in subject.spaces if self.space in (None, name)]
        scores: list[Score] = []
        predictions: list[Predictions] = []
        for name in names:
            found = self._scored(subject.spaces[name], f" ({name})" if len(names) > 1 else "", self._protocol(subject))
            scores += found.scores
            predictions += found.predictions
        return Evaluation(scores, predictions, () if names else [TASK])

    def _scored(self, space: OpenSpace, label: str, protocol: str) -> Evaluation:
        corpus, owner_n = self.gallery.corpus, self.gallery.picture_of
        sim_NM = similarities(space.text(corpus.sentences), space.image(corpus))
        directions = directed(sim_NM, owner_n)
        recall: list[float] = []
        scores: list[Score] = []
        predictions: list[Predictions] = []
        for direction, ranked in directions.items():
            task = f"{TASK}{label}/{direction}"
            hits = {k: expected_hits(ranked, k) for k in self.at}
            recall += [float(hit.mean()) for hit in hits.values()]
            scores += [
                Score(task, f"R@{k}", float(hit.mean()), len(hit), self.split, None, protocol)
                for k, hit in hits.items()
            ]
            predictions.append(Predictions(task, hits[self.at[0]], np.ones(len(hits[self.at[0]]))))
        mean = Score(f"{TASK}{label}", "recall", float(np.mean(recall)), sum(sim_NM.shape), self.split, None, protocol)
        return Evaluation([mean, *scores], predictions)

    def _protocol(self, subject: Subject) -> str:
        owner_n = self.gallery.picture_of
        facts: dict[str, Any] = {**self.gallery.facts, "captions": len(owner_n), "images": int(owner_n.max()) + 1}
        level = chance(owner_n, self.at)
        text = {f"chance {name}": " ".join(f"{value:.4f}" for value in row) for name, row in level.items()}
        at = " ".join(map(str, self.at))
        return signature("retrieval", subject, {**facts, "at": at, **text, "ties": "expected", "rows": "fp32"})


class Ranked(NamedTuple):
    """For each query how many wrong answers beat its best right one, how many equal it, and how many right ones do."""

    above: Integers
    tied: Integers
    right: Integers


def similarities(text_NE: NDArray[Any], image_ME: NDArray[Any]) -> Floats:
    """Cosine of every caption with every picture, [N, M]; rounded, so that equals stay ties."""
    units = []
    for rows in (text_NE, image_ME):
        norms = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
        units.append(np.divide(rows, norms, out=np.zeros(rows.shape), where=norms > 0))
    rounded: Floats = np.round(units[0] @ units[1].T, 7)
    return rounded


def directed(sim_NM: Floats, owner_n: Integers) -> Mapping[str, Ranked]:
    """Both directions of a similarity matrix; `owner_n` is the column of each row's own picture."""
    right_NM = owner_n[:, None] == np.arange(sim_NM.shape[1])
    return {"text-to-image": ranked(sim_NM, right_NM), "image-to-text": ranked(sim_NM.T, right_NM.T)}


def ranked(sim_QA: Floats, right_QA: Bools) -> Ranked:
    """Queries in rows, answers in columns. Queries without a right answer are left out."""
    asked = right_QA.any(axis=1)
    sim_QA, right_QA = sim_QA[asked], right_QA[asked]
    best = np.where(right_QA, sim_QA, -np.inf).max(axis=1, keepdims=True)
    above, equal = sim_QA > best, sim_QA == best
    return Ranked(above.sum(1), (equal & ~right_QA).sum(1), (equal & right_QA).sum(1))


def expected_hits(found: Ranked, k: int) -> Floats:
    """Probability that a right answer is among the first k if equals stand in random order, one a query.

    1 − C(tied, free) / C(tied + right, free), free = k − above places left; 0 where none is left.
    """
    return np.array([_hit(int(t), int(r), max(0, k - int(a))) for a, t, r in zip(*found, strict=True)])


def _hit(tied: int, right: int, free: int) -> float:
    return 1.0 if free >= tied + right else 1 - comb(tied, free) / comb(tied + right, free)


def chance(owner_n: Integers, at: list[int]) -> dict[str, list[float]]:
    """R@k of a space in which everything is equal."""
    flat = directed(np.zeros((len(owner_n), int(owner_n.max()) + 1)), owner_n)
    return {name: [float(expected_hits(found, k).mean()) for k in at] for name, found in flat.items()}


@hookimpl
def register_evaluators(register: Register) -> None:
    register("retrieval", Retrieval)
