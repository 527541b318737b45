"""Intra-modal semantic divergence: do captions of one picture crowd out captions nearer in meaning?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import Field

from dalr_bench import DataPath, Evaluation, Predictions, Requirement, Score, Subject, SuiteError, hookimpl
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.heldout.gallery import SEEDS, FreshScenes, Gallery, Integers, captioned, fresh
from dalr_bench_plugins.heldout.likeness import Likeness, Reference, cosine_likeness, known_likeness
from dalr_bench_plugins.networks.pooling import Pooling
from dalr_bench_plugins.networks.requirements import model_requirement
from dalr_bench_plugins.senteval.protocol import signature

TASK = "Divergence"


class Compared(NamedTuple):
    """Rows of captions: a caption, its sibling (same picture), a stranger (another picture) nearer in meaning."""

    caption: Integers
    sibling: Integers
    stranger: Integers


class Divergence:
    """How often a same-picture pair of different meaning outranks a different-picture pair of like meaning (ISD).

    A comparison is a caption a, a sibling b of its picture and a stranger c of another picture that means more nearly
    the same: g(a, c) >= g(a, b) + `gap`, c the nearest of `strangers` captions drawn at random. With s the subject's
    cosine:

    * `Divergence` (outranked) = mean of [s(a,b) > s(a,c)] + ½ [s(a,b) = s(a,c)] over comparisons. 0 where s follows
      meaning (s = g gives exactly 0), .5 by chance, 1 for a space that only knows which picture a caption is of.
    * `Divergence/exposed` (share) of captions for which there is such a stranger: the data's own divergence, whoever is
      scored. `Divergence/suffered` (outranked) = the product of the two, over all captions.

    g in [0, 1]: on `scenes` the gold similarity of the world's meanings; for real captions (`root`: a folder with
    captions.jsonl, or a captions file of Flickr30k or COCO, of which `keep` is the split) the cosine of the sentence
    model `reference` (hub id, folder or `package:NAME`; pooled by `pooling` where it states none), whose own errors are
    then part of the measure: it is named in the protocol. `scenes` takes options of the source of that name; unless
    said, 300 fresh scenes whose captions all choose their own facts (divergence 1). `split` is whose score this is (on
    `scenes` with fresh scenes of its own), `seed` draws the strangers. Without any comparison the task is reported as
    missing.

    Source: this project's own measure of the bias DALR (2025) names ISD; probability of superiority with ties as in
    the area under ROC. Raises SuiteError for `root` without `reference`; DataError for missing or malformed files.
    """

    def __init__(
        self,
        split: Literal["dev", "test"] = "test",
        scenes: FreshScenes | None = None,
        root: DataPath | None = None,
        keep: str | None = None,
        reference: str | None = None,
        pooling: Pooling = "mean",
        gap: Annotated[float, Field(gt=0, le=1)] = 0.2,
        strangers: Annotated[int, Field(ge=1)] = 64,
        seed: int = 0,
        *,
        device: Any = "cpu",
    ) -> None:
        if root is not None and reference is None:
            raise SuiteError("divergence: nobody knows what these captions mean: name a sentence model in `reference`")
        if root is not None and scenes is not None:
            raise SuiteError("divergence: `scenes` and `root` are two data sets: name one")
        self.split, self.gap, self.strangers, self.seed, self.device = split, gap, strangers, seed, device
        self.reference = None if reference is None else Reference(reference, pooling)
        self.gallery: Gallery = (
            fresh(scenes, {"scenes": 300, "divergence": 1.0, "seed": SEEDS[split]})
            if root is None
            else captioned(root, None, keep, looking=False)
        )

    @staticmethod
    def requires(options: Mapping[str, Any]) -> list[Requirement]:
        """The sentence model that stands in for meaning."""
        return model_requirement(options, "reference")

    @cached_property
    def likeness(self) -> Likeness:
        """g of caption rows."""
        if self.reference is None:
            return known_likeness(self.gallery.meanings)
        distinct = {text: row for row, text in enumerate(dict.fromkeys(self.gallery.corpus.sentences))}
        rows_ND = self.reference.rows(list(distinct), self.device)
        return cosine_likeness(rows_ND[[distinct[text] for text in self.gallery.corpus.sentences]])

    @cached_property
    def compared(self) -> Compared:
        """All comparisons; drawn by `seed` alone, the same for every subject."""
        return compare(self.gallery.picture_of, self.likeness, self.gap, (self.strangers, self.seed))

    def sentences(self) -> Iterator[str]:
        """All captions."""
        yield from self.gallery.corpus.sentences

    def evaluate(self, subject: Subject) -> Evaluation:
        """The rate first, then how many captions it concerns; per comparison whether the sibling won (gold: never)."""
        protocol = signature("divergence", subject, self._facts())
        siblings = int(_with_siblings(self.gallery.picture_of).sum())
        exposed = len(self.compared.caption) / max(1, siblings)
        share = Score(f"{TASK}/exposed", "share", exposed, siblings, self.split, None, protocol)
        if not len(self.compared.caption):
            return Evaluation([share], missing=[TASK])
        won = outranked(cosine_likeness(subject.encode(self.gallery.corpus.sentences)), self.compared)
        rate = float(won.mean())
        scores = [
            Score(TASK, "outranked", rate, len(won), self.split, None, protocol),
            share,
            Score(f"{TASK}/suffered", "outranked", rate * exposed, siblings, self.split, None, protocol),
        ]
        return Evaluation(scores, [Predictions(TASK, won, np.zeros(len(won)))])

    def _facts(self) -> dict[str, Any]:
        meaning = "gold of the world" if self.reference is None else str(self.reference)
        drawn = {"gap": f"{self.gap:g}", "strangers": self.strangers, "drawn by": self.seed}
        return {**self.gallery.facts, "meaning": meaning, **drawn, "similarity": "cosine", "chance": ".5"}


def _with_siblings(picture_n: Integers) -> np.ndarray[Any, np.dtype[np.bool_]]:
    _, place, count = np.unique(picture_n, return_inverse=True, return_counts=True)
    several: np.ndarray[Any, np.dtype[np.bool_]] = count[place] > 1
    return several


def compare(picture_n: Integers, likeness: Likeness, gap: float, drawing: tuple[int, int]) -> Compared:
    """For each caption with siblings one of them, and the nearest of the drawn strangers if it is nearer by `gap`."""
    count, seed = drawing
    rng = np.random.default_rng(seed)
    rows = np.arange(len(picture_n))
    found: list[tuple[int, int, int]] = []
    for caption in rows[_with_siblings(picture_n)]:
        same = picture_n == picture_n[caption]
        sibling = rng.choice(rows[same & (rows != caption)])
        others = rows[~same]
        if not len(others):
            continue
        drawn = rng.choice(others, size=min(count, len(others)), replace=False)
        near = likeness(np.full(len(drawn), caption), drawn)
        best = int(near.argmax())
        if near[best] >= likeness(np.array([caption]), np.array([sibling]))[0] + gap:
            found.append((int(caption), int(sibling), int(drawn[best])))
    return Compared(*np.array(found, np.int64).reshape(-1, 3).T)


def outranked(similarity: Likeness, compared: Compared) -> np.ndarray[Any, np.dtype[np.float64]]:
    """1 where the sibling pair is more similar than the stranger pair, ½ where equal, else 0; one a comparison."""
    sibling = similarity(compared.caption, compared.sibling)
    stranger = similarity(compared.caption, compared.stranger)
    won: np.ndarray[Any, np.dtype[np.float64]] = (sibling > stranger) + 0.5 * (sibling == stranger)
    return won


@hookimpl
def register_evaluators(register: Register) -> None:
    register("divergence", Divergence)
