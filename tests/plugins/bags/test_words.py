from __future__ import annotations

from dalr_bench_plugins.bags.words import WordTokenizer


def test_words_are_numbered_after_the_special_ones() -> None:
    tokenizer = WordTokenizer(["a", "red", "star"])
    assert tokenizer(["A red star", "", "red moon red"]) == [[2, 3, 4], [], [3, 1, 3]]
    assert tokenizer.size == 5
    assert tokenizer.pad_id == 0
    assert tokenizer.mask_id is None
    assert tokenizer.special_ids == {0}


def test_the_fingerprint_is_of_the_words_in_order() -> None:
    prints = {WordTokenizer(words).fingerprint for words in (["a", "b"], ["b", "a"], ["a"], ["a", "b"])}
    assert len(prints) == 3
