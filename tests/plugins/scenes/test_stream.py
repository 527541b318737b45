"""The dials turn one measure each; every caption is true; nothing but options and seeds decides."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from itertools import combinations, pairwise
from statistics import mean

import numpy as np
import pytest

from dalr_bench_plugins.scenes.gold import similarity
from dalr_bench_plugins.scenes.lexicon import PLAIN
from dalr_bench_plugins.scenes.stream import Captioned, Pictures, StreamOptions, stream
from dalr_bench_plugins.scenes.world import World, WorldSize

from .reader import Reader, facts_meant, facts_of, is_true

WORLD = World(WorldSize())
OPTIONS = StreamOptions(scenes=400)


def made(**changes: float) -> list[Captioned]:
    return list(stream(WORLD, replace(OPTIONS, **changes)))  # type: ignore[arg-type]  # int and float options alike


def unsaid(items: list[Captioned]) -> float:
    """Share of a picture's facts (attributes that can be said, drawn relations) that one caption leaves out."""

    def shown(item: Captioned) -> int:
        return sum(3 + (thing.pattern != PLAIN) for thing in item.scene.things) + len(item.scene.relations)

    return mean(1 - meaning.facts() / shown(item) for item in items for meaning in item.meanings)


def unlike(items: list[Captioned]) -> float:
    """How far captions of one picture are apart in meaning: 5 - gold, mean over siblings."""
    return mean(5 - similarity(a, b) for item in items for a, b in combinations(item.meanings, 2))


def words(items: list[Captioned]) -> float:
    return mean(len(sentence.split()) for item in items for sentence in item.sentences)


def counts(items: list[Captioned]) -> list[tuple[int, int, int]]:
    """Objects, attributes and relations of every caption."""
    return [(len(m.objects), sum(map(len, m.objects)), len(m.relations)) for item in items for m in item.meanings]


def test_captions_say_what_they_mean_and_it_is_true() -> None:
    reader, checked = Reader(WORLD.lexicon), 0
    for item in made(hidden=2.5):
        for meaning, sentence in zip(item.meanings, item.sentences, strict=True):
            read = reader.read(sentence)
            assert facts_of(read) == facts_meant(meaning)
            assert is_true(read, item.scene), sentence
            checked += 1
    assert checked == 2000


def test_the_reader_does_notice_a_lie() -> None:
    items = made()
    reader = Reader(WORLD.lexicon)
    lies = [
        is_true(reader.read(sentence), other.scene) for item, other in pairwise(items) for sentence in item.sentences
    ]
    assert mean(lies) < 0.1


def test_hidden_adds_things_to_pictures_and_moves_no_caption() -> None:
    none, some, many = made(hidden=0.0), made(hidden=1.5), made(hidden=6.0)
    assert [item.sentences for item in none] == [item.sentences for item in some] == [item.sentences for item in many]
    assert [item.meanings for item in none] == [item.meanings for item in many]
    assert [mean(len(item.scene.things) for item in items) for items in (none, many)] == [3, 9]
    assert mean(len(item.scene.things) for item in some) == pytest.approx(4.5, abs=0.1)
    assert unsaid(none) + 0.1 < unsaid(some)
    assert unsaid(some) + 0.1 < unsaid(many)
    assert unlike(none) == unlike(some) == unlike(many)
    assert words(none) == words(many)


def test_divergence_parts_siblings_and_moves_no_picture_and_no_number_of_facts() -> None:
    same, half, own = made(divergence=0.0), made(divergence=0.5), made(divergence=1.0)
    assert [item.scene for item in same] == [item.scene for item in half] == [item.scene for item in own]
    assert counts(same) == counts(half) == counts(own)
    assert unlike(same) == 0
    assert unlike(half) > 0.7
    assert unlike(own) > unlike(half) + 0.3
    assert unsaid(same) == unsaid(half) == unsaid(own)
    assert words(own) == pytest.approx(words(same), rel=0.01)


def test_captions_mention_only_what_may_be_described() -> None:
    for item in made(described=2, hidden=4.0):
        assert item.scene.described == 2
        assert all(len(meaning.objects) <= 2 for meaning in item.meanings)
        assert len(item.scene.things) == 6


def test_a_shorter_stream_is_the_beginning_of_a_longer_one() -> None:
    assert made(scenes=20) == made()[:20]
    assert made(scenes=20, seed=1) != made(scenes=20)


def test_pictures_are_painted_alike_in_any_order() -> None:
    scenes = tuple(item.scene for item in made(scenes=5))
    pictures, again = Pictures(scenes, 0, 64), Pictures(scenes, 0, 64)
    backwards = {row: np.asarray(again[row]) for row in reversed(range(5))}
    for row in range(5):
        assert np.array_equal(np.asarray(pictures[row]), backwards[row])
    assert np.array_equal(np.asarray(pictures[-1]), backwards[4])
    assert len(pictures) == 5
    with pytest.raises(IndexError):
        pictures[5]


_DIGEST = """
import hashlib
from dalr_bench_plugins.evaluators.scenes import Scenes as Evaluator
from dalr_bench_plugins.sources.scenes import Scenes as Source
corpus = Source(scenes=60).load()
digest = hashlib.sha256("|".join(corpus.sentences).encode())
digest.update("|".join(corpus.vocabulary).encode() + corpus.fingerprint.encode())
for picture in corpus.images:
    digest.update(picture.tobytes())
digest.update("|".join(Evaluator(pairs=60, rows=50).sentences()).encode())
print(digest.hexdigest())
"""


def test_no_hash_seed_moves_anything() -> None:
    found = {
        subprocess.run(
            [sys.executable, "-c", _DIGEST],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "77")
    }
    assert len(found) == 1
    assert len(found.pop().strip()) == 64
