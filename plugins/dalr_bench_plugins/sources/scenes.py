"""Captioned pictures of a small world with known meaning, generated on the spot: nothing is downloaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

from pydantic import Field

from dalr_bench import Corpus, SuiteError, hookimpl
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.scenes import VERSION
from dalr_bench_plugins.scenes.stream import Captioned, Pictures, StreamOptions, stream
from dalr_bench_plugins.scenes.wording import Speaker
from dalr_bench_plugins.scenes.world import CELLS, World, WorldSize


class Scenes:
    """Scenes of a small world, each with one picture and several captions; deterministic by seed.

    * `scenes`, `captions`, `seed`: how many scenes, captions of each, and which. Two sources of one `world` and different
      `seed` show the same world in fresh scenes.
    * `described`: things of a scene that captions may mention; each caption mentions one to three of them.
    * `hidden`: dial of the cross-modal misalignment bias: things a picture holds beyond those, on average (a fraction
      means that this share of the scenes has one more). Turning it changes no caption.
    * `divergence`: dial of the intra-modal semantic divergence: probability that a caption picks its own facts instead of
      those its siblings share. Turning it changes no picture and no caption's number of facts.
    * `shapes`, `colours`, `synonyms`, `world`, `themes`, `skew`, `max_words`: the world; an evaluator of it must be given the same.
      `skew` is how often a scene follows its theme, `world` the seed of the themes, `max_words` counts commas.
    * `picture`: edge of the pictures in pixels.
    * `siblings`: every row carries the next caption of its picture as the column `positive`, for contrast between captions
      of one picture instead of dropout views (needs two captions or more).

    Source: this project's own world. The dials are the two biases DALR names, cross-modal misalignment bias (CMB) and
    intra-modal semantic divergence (ISD), each turned without the other (`scenes/stream.py`).

    Raises SuiteError where described and hidden things together need more than the nine places of a picture.
    """

    race = True  # `bench train` without data takes its sentences

    def __init__(
        self,
        scenes: Annotated[int, Field(ge=1)] = 4000,
        captions: Annotated[int, Field(ge=1)] = 5,
        seed: int = 0,
        described: Annotated[int, Field(ge=1, le=9)] = 3,
        hidden: Annotated[float, Field(ge=0, le=8)] = 1.0,
        divergence: Annotated[float, Field(ge=0, le=1)] = 0.8,
        shapes: Annotated[int, Field(ge=2, le=10)] = 6,
        colours: Annotated[int, Field(ge=2, le=8)] = 6,
        synonyms: Annotated[int, Field(ge=1, le=5)] = 4,
        world: int = 0,
        themes: Annotated[int, Field(ge=1)] = 6,
        skew: Annotated[float, Field(ge=0, le=1)] = 0.6,
        max_words: Annotated[int, Field(ge=11)] = 13,
        picture: Annotated[int, Field(ge=32)] = 64,
        siblings: bool = False,
    ) -> None:
        if siblings and captions < 2:
            raise SuiteError("scenes: siblings needs two captions of a picture or more, got captions: 1")
        if described + hidden > len(CELLS):
            raise SuiteError(
                f"scenes: a picture has {len(CELLS)} places, too few for described {described} + hidden {hidden:g}"
            )
        self.size = WorldSize(shapes, colours, synonyms, world, themes, skew, max_words)
        self.options = StreamOptions(scenes, captions, seed, described, hidden, divergence)
        self.picture = picture
        self.siblings = siblings

    def load(self) -> Corpus:
        """Sentences scene by scene, pictures painted when asked for, the closed vocabulary of the grammar."""
        world = World(self.size)
        found = list(stream(world, self.options))
        return Corpus(
            sentences=[sentence for item in found for sentence in item.sentences],
            fingerprint=self._fingerprint(found),
            image_of=[row for row, item in enumerate(found) for _ in item.sentences],
            images=Pictures(tuple(item.scene for item in found), self.options.seed, self.picture),
            vocabulary=Speaker(world.lexicon, self.size.max_words).vocabulary(),
            columns={"positive": [_next(item.sentences, row) for item in found for row in range(len(item.sentences))]}
            if self.siblings
            else {},
        )

    def _fingerprint(self, found: list[Captioned]) -> str:
        """Hash of options and generator, and of what came out: a changed grammar shows even with an old VERSION."""
        options = {
            "version": VERSION,
            "picture": self.picture,
            "siblings": self.siblings,
            **asdict(self.size),
            **asdict(self.options),
        }
        digest = hashlib.sha256(json.dumps(options, sort_keys=True).encode())
        for item in found:
            digest.update(repr((tuple(map(tuple, item.scene.things)), item.scene.relations, item.sentences)).encode())
        return digest.hexdigest()


def _next(sentences: Sequence[str], row: int) -> str:
    return sentences[(row + 1) % len(sentences)]


@hookimpl
def register_sources(register: Register) -> None:
    register("scenes", Scenes)
