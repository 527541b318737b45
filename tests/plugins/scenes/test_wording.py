from __future__ import annotations

from random import Random

import pytest

from dalr_bench_plugins.scenes.facts import Meaning, Relation
from dalr_bench_plugins.scenes.focus import focus, plan
from dalr_bench_plugins.scenes.lexicon import lexicon
from dalr_bench_plugins.scenes.wording import PHRASES, Speaker, fewest_words, function_words, relation_words
from dalr_bench_plugins.scenes.world import World, WorldSize

from .reader import STATEMENTS, Reader, facts_meant, facts_of


def meanings(size: WorldSize, count: int) -> list[Meaning]:
    world, rng = World(size), Random(3)
    return [focus(rng, world.scene(rng, 4), plan(rng, 4, size.max_words)) for _ in range(count)]


@pytest.mark.parametrize("size", [WorldSize(), WorldSize(shapes=10, colours=8, synonyms=5), WorldSize(max_words=11)])
def test_every_sentence_reads_back_as_its_meaning(size: WorldSize) -> None:
    speaker, rng = Speaker(lexicon(size.shapes, size.colours, size.synonyms), size.max_words), Random(5)
    reader = Reader(lexicon(size.shapes, size.colours, size.synonyms))
    vocabulary = set(speaker.vocabulary())
    for meaning in meanings(size, 2000):
        sentence = speaker.say(rng, meaning)
        assert facts_of(reader.read(sentence)) == facts_meant(meaning), sentence
        assert len(sentence.split()) <= size.max_words
        assert set(sentence.split()) <= vocabulary


def test_every_word_of_the_vocabulary_is_used() -> None:
    size = WorldSize()
    speaker, rng = Speaker(lexicon(6, 6, 4), 13), Random(0)
    said = {word for meaning in meanings(size, 6000) for word in speaker.say(rng, meaning).split()}
    assert said == set(speaker.vocabulary())
    assert list(speaker.vocabulary()) == sorted(said)


def test_every_phrase_states_what_the_reader_takes_it_for() -> None:
    seen = set()
    for kind, phrases in PHRASES.items():
        for phrase in phrases:
            known, start, end = STATEMENTS[phrase.replace("{a}", "#").replace("{b}", "#")]
            order = sorted("ab", key=lambda slot: phrase.index(f"{{{slot}}}"))
            assert known == kind
            assert kind == "tied" or (order[start], order[end]) == ("a", "b"), phrase
            seen.add(phrase.replace("{a}", "#").replace("{b}", "#"))
    assert seen == set(STATEMENTS)


@pytest.mark.parametrize("kind", sorted(PHRASES))
def test_fewest_words_is_reached_and_never_beaten(kind: str) -> None:
    mentions = ((("shape", "moon"),), (("colour", "red"), ("shape", "star")), (("shape", "heart"), ("size", "large")))
    for count in (1, 2, 3):
        for relations in [(), (Relation(kind, 0, 1),)][: 1 if count == 1 else 2]:
            meaning = Meaning(mentions[:count], relations)
            need = fewest_words([len(mention) - 1 for mention in meaning.objects], bool(relations))
            tight = Speaker(lexicon(6, 6, 4), need)
            assert tight.fits(meaning)
            assert not Speaker(lexicon(6, 6, 4), need - 1).fits(meaning)
            lengths = [len(tight.say(Random(trial), meaning).split()) for trial in range(50)]
            assert max(lengths) <= need
            # "left" has the wordiest shortest phrase; the others may stay one below the bound.
            assert min(lengths) >= need - (1 if relations and kind != "left" else 0)


def test_avoided_words_are_left_out_where_a_synonym_is_left() -> None:
    speaker, meaning = Speaker(lexicon(6, 6, 2), 13), Meaning(((("colour", "red"), ("shape", "star")),), ())
    for trial in range(40):
        assert {"red", "star"}.isdisjoint(speaker.say(Random(trial), meaning, {"red", "star"}).split())
    assert "red" in speaker.say(Random(0), meaning, {"red", "crimson"}) or "crimson" in speaker.say(
        Random(0), meaning, {"red", "crimson"}
    )


def test_articles() -> None:
    speaker = Speaker(lexicon(6, 6, 4), 13)
    for shape, words in lexicon(6, 6, 4).words["shape"].items():
        for trial in range(60):
            said = speaker.say(Random(trial), Meaning(((("shape", shape),),), ())).split()
            noun = next(place for place, word in enumerate(said) if word in words)
            if said[noun - 1] in ("a", "an"):
                assert (said[noun - 1] == "an") == (said[noun][0] in "aeiou"), said


def test_relation_words_belong_to_one_relation_and_to_nothing_else() -> None:
    given_away = relation_words()
    assert set(given_away.values()) == set(PHRASES)
    assert given_away["aims"] == "points"
    assert given_away["beneath"] == "above"
    assert given_away["east"] == "left"
    assert given_away["linked"] == "tied"
    assert {"is", "on", "to", "and", "a", "there", "has"}.isdisjoint(given_away)
    for word, kind in given_away.items():
        assert [name for name, phrases in PHRASES.items() if any(word in phrase.split() for phrase in phrases)] == [
            kind
        ]


def test_function_words_hold_no_slots() -> None:
    assert not any("{" in word or not word for word in function_words())
