"""Tokenizers made here: what they keep, and that the same sentences give the same one in another process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from dalr_bench import DataError
from dalr_bench_plugins.networks.vocabulary import SPECIAL, TextTokenizer, closed_vocabulary, learned_vocabulary

TEXT = ["The cat sat.", "the cat ran", "A dog sat on the cat", "Éclair"]


def test_closed_vocabulary_numbers_words_after_the_special_ones() -> None:
    tokenizer = TextTokenizer(closed_vocabulary(["red", "blue", "ball"]), 8)
    assert tokenizer.size == 8
    assert (tokenizer.pad_id, tokenizer.mask_id) == (0, 4)
    assert tokenizer.special_ids == frozenset(range(5))
    assert tokenizer(["blue ball", "Red", "green ball"]) == [[2, 6, 7, 3], [2, 5, 3], [2, 1, 7, 3]]


def test_case_is_kept_where_the_world_has_capitals() -> None:
    tokenizer = TextTokenizer(closed_vocabulary(["Red", "red"]), 8)
    assert tokenizer(["Red red RED"]) == [[2, 5, 6, 1, 3]]


def test_cut_at_max_length_with_its_end_kept() -> None:
    tokenizer = TextTokenizer(closed_vocabulary(["a", "b"]), 4)
    assert tokenizer(["a b a b a b", "a"]) == [[2, 5, 6, 3], [2, 5, 3]]


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("apart", [False, True])
def test_the_ids_are_those_of_the_tokenizers_own_call(side: str, apart: bool) -> None:
    inner = learned_vocabulary(TEXT, 60)
    inner.truncation_side, inner.split_special_tokens = side, apart
    texts = [*TEXT, "", "  the\tcat ", "the [SEP] cat", "the cat sat on a dog sat on the cat ran"]
    expected = inner(texts, truncation=True, max_length=7)["input_ids"]
    assert TextTokenizer(inner, 7)(texts) == expected
    assert max(map(len, expected)) == 7


def test_no_sentence_no_rows() -> None:
    assert TextTokenizer(closed_vocabulary(["a"]), 4)([]) == []


def test_learned_pieces_spell_every_word_of_known_characters() -> None:
    tokenizer = TextTokenizer(learned_vocabulary(TEXT, 200), 32)
    unknown = tokenizer.inner.unk_token_id
    for ids in tokenizer(["the tacos", "noodles", "cat sat"]):
        assert unknown not in ids
    assert unknown in tokenizer(["cat!?"])[0]


def test_learned_words_come_by_frequency_and_size_is_kept() -> None:
    # 5 special + the 2 commonest letters, alone and continuing + 7 words: cat 3, the 3, sat 2, then by alphabet.
    small = learned_vocabulary(TEXT, 16).get_vocab()
    expected = [*SPECIAL, "a", "t", "##a", "##t", "cat", "the", "sat", ".", "dog", "eclair", "on"]
    assert sorted(small, key=small.__getitem__) == expected
    full = learned_vocabulary(TEXT, 500).get_vocab()
    assert {"the", "cat", "sat", "dog", "ran", "eclair", "a", "##a", "."} <= set(full)
    assert full["cat"] < full["sat"] < full["dog"]


def test_nothing_to_learn_from() -> None:
    with pytest.raises(DataError, match="no sentences to learn a vocabulary from"):
        learned_vocabulary([], 100)


def test_same_sentences_same_tokenizer_in_another_process() -> None:
    code = (
        "from dalr_bench_plugins.networks.vocabulary import *\n"
        f"print(TextTokenizer(learned_vocabulary({TEXT!r}, 60), 32).fingerprint)"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert told.stdout.strip() == TextTokenizer(learned_vocabulary(TEXT, 60), 32).fingerprint


def test_fingerprint_knows_words_and_length_and_not_what_was_asked() -> None:
    first = TextTokenizer(closed_vocabulary(["a", "b"]), 8)
    before = first.fingerprint
    first(["a b"])
    assert TextTokenizer(first.inner, 8).fingerprint == before
    assert TextTokenizer(closed_vocabulary(["b", "a"]), 8).fingerprint != before
    assert TextTokenizer(closed_vocabulary(["a", "b"]), 9).fingerprint != before
