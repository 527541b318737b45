from __future__ import annotations

from collections import Counter

import pytest

from dalr_bench_plugins.scenes.lexicon import lexicon
from dalr_bench_plugins.scenes.wording import function_words


def test_no_word_means_two_things() -> None:
    known = lexicon(10, 8, 5)
    words = Counter(word for values in known.words.values() for synonyms in values.values() for word in synonyms)
    assert [word for word, times in words.items() if times > 1] == []
    assert len(words) == 10 * 5 + 8 * 5 + 2 * 5 + 2 * 3
    assert not set(words) & function_words()


@pytest.mark.parametrize(("shapes", "colours", "synonyms"), [(2, 2, 1), (6, 6, 4), (10, 8, 5)])
def test_a_world_takes_the_first_concepts_and_synonyms(shapes: int, colours: int, synonyms: int) -> None:
    known, whole = lexicon(shapes, colours, synonyms), lexicon(10, 8, 5)
    assert len(known.values("shape")) == shapes
    assert len(known.values("colour")) == colours
    for attribute, values in known.words.items():
        for value, words in values.items():
            assert words == whole.words[attribute][value][:synonyms]
            assert words[0] == value


def test_outside_leaves_the_asked_places_only() -> None:
    known = lexicon(6, 6, 4)
    banned = known.outside(("shape", "colour"), 0, 2)
    assert {"crescent", "moon", "red", "crimson"}.isdisjoint(banned)
    assert {"sickle", "croissant", "scarlet", "ruby"} <= banned
    assert len(banned) == 2 * 6 * 2
    assert "giant" not in banned
