"""A stream of scenes with captions, by seed. Its two dials turn independently of each other.

`hidden` (cross-modal misalignment bias): how many things a picture holds beyond the fixed number captions may mention.
It has a generator of its own, so turning it adds things to pictures and leaves every caption as it is, letter for
letter.

`divergence` (intra-modal semantic divergence): the probability that a caption picks its own facts of the scene instead
of the facts its siblings share. How many facts of which sort is planned per scene before, so turning it leaves every
picture and every caption's number of objects, attributes and relations as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from dalr_bench_plugins.scenes.facts import Meaning, Scene
from dalr_bench_plugins.scenes.focus import focus, plan
from dalr_bench_plugins.scenes.wording import Speaker
from dalr_bench_plugins.scenes.world import World

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True)
class StreamOptions:
    """How many scenes and captions, and the dials. `seed` draws the scenes (the themes have their own)."""

    scenes: int = 4000
    captions: int = 5
    seed: int = 0
    described: int = 3
    hidden: float = 1.0
    divergence: float = 0.8


class Captioned(NamedTuple):
    """A scene, and what its captions say and mean."""

    scene: Scene
    meanings: tuple[Meaning, ...]
    sentences: tuple[str, ...]


def stream(world: World, options: StreamOptions) -> Iterator[Captioned]:
    """Scene after scene; the first n of a longer stream are the shorter stream."""
    speaker = Speaker(world.lexicon, world.size.max_words)
    for index in range(options.scenes):
        yield _captioned(world, options, speaker, f"{options.seed}/{index}")


def _captioned(world: World, options: StreamOptions, speaker: Speaker, key: str) -> Captioned:
    # String seeds go through SHA-512 inside `random`: equal on every machine and under every PYTHONHASHSEED.
    unseen = Random(f"scenes/hidden/{key}")
    hidden = int(options.hidden + unseen.random())
    scene = world.scene(Random(f"scenes/scene/{key}"), options.described, hidden, unseen)
    meanings = _meanings(Random(f"scenes/focus/{key}"), scene, options, world.size.max_words)
    words = Random(f"scenes/words/{key}")
    return Captioned(scene, meanings, tuple(speaker.say(words, meaning) for meaning in meanings))


def _meanings(rng: Random, scene: Scene, options: StreamOptions, max_words: int) -> tuple[Meaning, ...]:
    planned = plan(rng, scene.described, max_words)
    common = focus(rng, scene, planned)
    own = [focus(rng, scene, planned) for _ in range(options.captions)]
    return tuple(meaning if rng.random() < options.divergence else common for meaning in own)


class Pictures:
    """The pictures of a stream, painted when asked for (about 0.1 ms each): nothing is stored but the scenes."""

    def __init__(self, scenes: tuple[Scene, ...], seed: int, edge: int) -> None:
        from dalr_bench_plugins.scenes.picture import Painter  # Pillow: not before there is something to paint

        self._scenes = scenes
        self._seed = seed
        self._painter = Painter(edge)

    def __len__(self) -> int:
        return len(self._scenes)

    def __getitem__(self, index: int) -> Image.Image:
        row = range(len(self._scenes))[index]
        return self._painter.paint(self._scenes[row], Random(f"scenes/picture/{self._seed}/{row}"))
