"""Cross-modal misalignment: how much of what makes pictures alike do their captions tell?"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dalr_bench import (
    DataPath,
    Evaluation,
    PictureSubject,
    Predictions,
    Score,
    Subject,
    SuiteError,
    TeacherImage,
    hookimpl,
)
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.heldout.gallery import SEEDS, FreshScenes, Gallery, Integers, captioned, fresh
from dalr_bench_plugins.heldout.likeness import cosine_likeness, known_likeness, shown_mass, shown_similarity
from dalr_bench_plugins.scenes.gold import WEIGHTS
from dalr_bench_plugins.scenes.measures import spearman
from dalr_bench_plugins.senteval.protocol import signature

TASK = "Misalignment"
Floats = NDArray[np.float64]


class Misalignment:
    """How much of the pictures' similarity structure a caption's text explains (CMB; more explained is less of it).

    Over `pairs` random pairs of captions (a, b) of two different pictures (i, j), with s the subject's cosine of a and
    b, and v the similarity of the pictures i and j:

    * `Misalignment` (r2) = squared Pearson correlation of s and v, 0 where s falls as v grows; in [0, 1]: the share of
      v's variance a straight line over s explains. `Misalignment/order` (spearman) = their rank correlation, [-1, 1].
    * On `scenes` also what is known: `Misalignment/ceiling` (r2) = the same with the gold similarity of the captions'
      meanings for s, all that perfect text understanding could explain; `Misalignment/said` (share) = mean share of a
      picture's attribute weight that its caption states. Both fall as pictures hide more, whoever is scored.

    v is the cosine of the rows of `teacher`, an image teacher of the suite; left out, on `scenes`, the truth: a soft
    Dice of all things two pictures show (heldout/likeness.py). `root` reads real photos instead (a folder with
    captions.jsonl, or a captions file of Flickr30k or COCO with `photos`, of which `keep` is the split) and needs a
    `teacher`. `split` is whose score this is (on `scenes` with fresh scenes of its own), `seed` draws the pairs.
    `scenes` takes options of the source of that name; unless said, 400 fresh scenes.

    Source: this project's own measure of the bias DALR (2025) names CMB; representational similarity analysis
    (Kriegeskorte et al. 2008) over caption and picture. Raises SuiteError for `root` without `teacher`, and while
    scoring where there is no run with that teacher; DataError for missing or malformed files.
    """

    def __init__(
        self,
        split: Literal["dev", "test"] = "test",
        scenes: FreshScenes | None = None,
        root: DataPath | None = None,
        photos: DataPath | None = None,
        keep: str | None = None,
        teacher: TeacherImage | None = None,
        pairs: Annotated[int, Field(ge=10)] = 4000,
        seed: int = 0,
    ) -> None:
        if root is not None and teacher is None:
            raise SuiteError("misalignment: nobody knows what these photos show: name an image teacher in `teacher`")
        if root is not None and scenes is not None:
            raise SuiteError("misalignment: `scenes` and `root` are two data sets: name one")
        self.split, self.teacher, self.count, self.seed = split, teacher, pairs, seed
        self.gallery: Gallery = (
            fresh(scenes, {"scenes": 400, "seed": SEEDS[split]}) if root is None else captioned(root, photos, keep)
        )

    @cached_property
    def pairs(self) -> tuple[Integers, Integers]:
        """Rows of captions of two different pictures, [pairs] each; drawn by `seed` alone."""
        rng = np.random.default_rng(self.seed)
        picture_n = self.gallery.picture_of
        left, right = (rng.integers(len(picture_n), size=4 * self.count) for _ in range(2))
        apart = picture_n[left] != picture_n[right]
        return left[apart][: self.count], right[apart][: self.count]

    @cached_property
    def shown(self) -> Floats:
        """Truth of what the pairs' pictures share, [pairs]."""
        left, right = (self.gallery.picture_of[rows].tolist() for rows in self.pairs)
        scenes = self.gallery.scenes
        return np.array([shown_similarity(scenes[i], scenes[j]) for i, j in zip(left, right, strict=True)])

    def sentences(self) -> Iterator[str]:
        """All captions."""
        yield from self.gallery.corpus.sentences

    def evaluate(self, subject: Subject) -> Evaluation:
        """The share explained first; per pair the captions' similarity, with that of the pictures as gold."""
        v = self._pictures(subject)
        s = cosine_likeness(subject.encode(self.gallery.corpus.sentences))(*self.pairs)
        protocol = signature("misalignment", subject, self._facts())

        def score(task: str, metric: str, value: float, n: int = len(s)) -> Score:
            return Score(task, metric, value, n, self.split, None, protocol)

        scores = [score(TASK, "r2", explained(s, v)), score(f"{TASK}/order", "spearman", spearman(s, v))]
        if self.gallery.known:
            ceiling = explained(known_likeness(self.gallery.meanings)(*self.pairs), v)
            said = self._said()
            share = score(f"{TASK}/said", "share", float(said.mean()), len(said))
            scores += [score(f"{TASK}/ceiling", "r2", ceiling), share]
        return Evaluation(scores, [Predictions(TASK, s, v)])

    def _pictures(self, subject: Subject) -> Floats:
        if self.teacher is None:
            return self.shown
        if not isinstance(subject, PictureSubject):
            raise SuiteError(f"misalignment: '{self.teacher}' is a teacher of a run, and no run is scored here")
        rows_ME = subject.pictures(self.teacher, self.gallery.corpus)
        return cosine_likeness(rows_ME)(*(self.gallery.picture_of[rows] for rows in self.pairs))

    def _said(self) -> Floats:
        """Share of its picture's attribute weight each caption states, [n]."""
        whole = [shown_mass(scene) for scene in self.gallery.scenes]
        stated = [sum(WEIGHTS[name] for item in said.objects for name, _ in item) for said in self.gallery.meanings]
        shares: Floats = np.array(stated) / np.array(whole)[self.gallery.picture_of]
        return shares

    def _facts(self) -> dict[str, Any]:
        pictures = "what is shown" if self.teacher is None else f"cosine of teacher {self.teacher}"
        bounds = {"r2": "0 to 1", "chance": "0"}
        return {**self.gallery.facts, "pairs": self.count, "drawn by": self.seed, "pictures by": pictures, **bounds}


def explained(s: Floats, v: Floats) -> float:
    """Squared Pearson correlation; 0 where it is negative or one side is constant."""
    left, right = s - s.mean(), v - v.mean()
    scale = float(np.sqrt((left @ left) * (right @ right)))
    return max(0.0, float(left @ right) / scale) ** 2 if scale > 0 else 0.0


@hookimpl
def register_evaluators(register: Register) -> None:
    register("misalignment", Misalignment)
