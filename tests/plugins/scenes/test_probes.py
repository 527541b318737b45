from __future__ import annotations

import pytest

from dalr_bench_plugins.scenes.pairs import Examiner
from dalr_bench_plugins.scenes.probes import probe_rows
from dalr_bench_plugins.scenes.world import World, WorldSize


@pytest.mark.parametrize("synonyms", [2, 3, 4, 5])
def test_training_and_test_share_no_word_for_shape_or_colour(synonyms: int) -> None:
    examiner = Examiner(World(WorldSize(synonyms=synonyms)))
    asked = {word for word, (name, _) in examiner.world.lexicon.concepts().items() if name in ("shape", "colour")}
    used = [
        {word for row in probe_rows(examiner, "s", 150, half) for word in row.sentence.split()} & asked
        for half in (False, True)
    ]
    assert used[0]
    assert used[1]
    assert not used[0] & used[1]


def test_labels_are_the_first_named() -> None:
    examiner = Examiner(World(WorldSize()))
    concepts = examiner.world.lexicon.concepts()
    rows = probe_rows(examiner, "labels", 300, False)
    for row in rows:
        named = [concepts[word] for word in row.sentence.split() if word in concepts]
        assert next(value for name, value in named if name == "colour") == examiner.world.colours[row.colour]
        assert next(value for name, value in named if name == "shape") == examiner.world.shapes[row.shape]
    assert len({row.sentence for row in rows}) == len(rows) == 300
    assert {row.colour for row in rows} == set(range(6))
    assert {row.shape for row in rows} == set(range(6))
