from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from dalr_bench_plugins.scenes.edits import Editor
from dalr_bench_plugins.scenes.facts import Meaning, Relation
from dalr_bench_plugins.scenes.gold import similarity
from dalr_bench_plugins.scenes.pairs import KINDS, Examiner, sts_pairs
from dalr_bench_plugins.scenes.world import World, WorldSize

from .reader import Read, Reader, facts_of

EXAMINER = Examiner(World(WorldSize()))
PAIRS = sts_pairs(EXAMINER, "test", 500)
RED_STAR = (("colour", "red"), ("shape", "star"))
BLUE_MOON = (("colour", "blue"), ("shape", "moon"))
TWO = Meaning((RED_STAR, BLUE_MOON), (Relation("left", 0, 1),))


def meant(read: Read) -> Meaning:
    relations = (Relation(*read.relation),) if read.relation else ()
    return Meaning(tuple(tuple(sorted(thing.items())) for thing in read.objects), relations)


def test_gold_follows_from_the_sentences_alone() -> None:
    reader = Reader(EXAMINER.world.lexicon)
    for pair in PAIRS:
        assert similarity(meant(reader.read(pair.left)), meant(reader.read(pair.right))) == pytest.approx(pair.gold), (
            pair
        )


def test_no_pair_is_identical_and_all_fit() -> None:
    assert all(pair.left != pair.right for pair in PAIRS)
    assert max(len(sentence.split()) for pair in PAIRS for sentence in pair[:2]) <= 13


@pytest.mark.parametrize("count", [50, 53, 500])
def test_every_unit_of_gold_has_its_share(count: int) -> None:
    pairs = sts_pairs(EXAMINER, "units", count)
    units = Counter(min(4, int(pair.gold)) for pair in pairs)
    assert len(pairs) == count
    assert max(units.values()) - min(units.values()) <= 1
    assert len(units) == 5


def test_paraphrases_mean_the_same_in_other_words() -> None:
    reader, concepts = Reader(EXAMINER.world.lexicon), EXAMINER.world.lexicon.concepts()
    found = [pair for pair in PAIRS if pair.kind == "paraphrase"]
    assert len(found) > 30
    for pair in found:
        assert pair.gold == 5.0
        assert facts_of(reader.read(pair.left)) == facts_of(reader.read(pair.right))
        assert not {word for word in pair.left.split() if word in concepts} & set(pair.right.split())


def test_swaps_keep_every_concept() -> None:
    concepts = EXAMINER.world.lexicon.concepts()
    found = [pair for pair in PAIRS if pair.kind == "swap"]
    assert len(found) > 40
    for pair in found:
        left, right = (
            Counter(concepts[word] for word in sentence.split() if word in concepts) for sentence in pair[:2]
        )
        assert left == right
        assert pair.gold < 5


def test_all_kinds_occur() -> None:
    assert set(Counter(pair.kind for pair in PAIRS)) == set(KINDS)


def test_seed_decides() -> None:
    assert sts_pairs(EXAMINER, "test", 500) == PAIRS
    assert not {pair.left for pair in sts_pairs(EXAMINER, "other", 500)} >= {pair.left for pair in PAIRS}


def test_each_edit_changes_what_it_says() -> None:
    editor = Editor(EXAMINER.world.lexicon)
    for trial in range(60):
        rng = Random(trial)
        swapped = editor.swap(rng, TWO)
        assert sorted(fact for mention in swapped.objects for fact in mention) == sorted(RED_STAR + BLUE_MOON)
        assert swapped != TWO
        assert len(set(editor.value(rng, TWO).objects[0] + editor.value(rng, TWO).objects[1])) >= 3
        assert editor.drop(rng, TWO) == Meaning((RED_STAR,), ())
        assert editor.relation(rng, TWO).objects == TWO.objects
        assert abs(editor.attribute(rng, TWO).facts() - TWO.facts()) == 1
        changed = editor.value(rng, TWO)
        assert changed.facts() == TWO.facts()
        assert sum(a != b for a, b in zip(changed.objects, TWO.objects, strict=True)) == 1


def test_edits_that_do_not_apply_change_nothing() -> None:
    editor, alone = Editor(EXAMINER.world.lexicon), Meaning((RED_STAR,), ())
    for change in (editor.swap, editor.drop, editor.relation):
        assert change(Random(0), alone) == alone
    twins = Meaning((RED_STAR, RED_STAR), ())
    assert editor.swap(Random(0), twins) == twins
