"""Tokenizers: a Hugging Face one seen as ours, and two made here for students trained from scratch."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from dalr_bench import DataError

PAD, UNKNOWN, CLS, SEP, MASK = SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


class TextTokenizer:
    """Sentences to ids, special tokens included, cut at `max_length` ids, as `inner` itself gives them.

    `inner`: any fast Hugging Face tokenizer.
    """

    def __init__(self, inner: Any, max_length: int) -> None:
        inner.model_max_length = max_length
        self.inner = inner
        self.max_length = max_length
        self.pad_id = int(inner.pad_token_id if inner.pad_token_id is not None else 0)
        self.mask_id = None if inner.mask_token_id is None else int(inner.mask_token_id)
        self.special_ids = frozenset(map(int, inner.all_special_ids))
        self.size = len(inner)
        # Taken before the first call, which writes its truncation into the tokenizer's own state.
        self.fingerprint = _fingerprint(inner, max_length)

    def __call__(self, sentences: Sequence[str]) -> list[list[int]]:
        # Not `inner(...)`: it computes offsets and keeps dictionaries too, and takes half as long again for the same ids.
        state = self.inner.backend_tokenizer
        state.enable_truncation(self.max_length, direction=self.inner.truncation_side)
        state.no_padding()
        state.encode_special_tokens = bool(getattr(self.inner, "split_special_tokens", False))
        return [encoding.ids for encoding in state.encode_batch_fast(list(sentences))]


def _fingerprint(inner: Any, max_length: int) -> str:
    state = inner.backend_tokenizer
    state.no_truncation()
    state.no_padding()
    return hashlib.sha256(f"{max_length}\n{state.to_str()}".encode()).hexdigest()


def closed_vocabulary(words: Sequence[str]) -> Any:
    """Word-level tokenizer over a closed world's word list, in its order after the special tokens.

    Splits at white space; folds case only where the whole list is lower-case.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    inner = Tokenizer(models.WordLevel(_numbered(words), unk_token=UNKNOWN))
    if all(word == word.lower() for word in words):
        inner.normalizer = normalizers.Lowercase()
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return _finished(inner)


def learned_vocabulary(sentences: Iterable[str], size: int) -> Any:
    """WordPiece tokenizer learned from sentences: their characters (alone and continuing), then words by frequency.

    Any word of known characters has a spelling, so only unseen characters are unknown. Ties are broken by the word
    itself: the same sentences give the same tokenizer. The `tokenizers` trainer does not promise that: its merges
    follow a randomly seeded hash map, and four runs gave four vocabularies. Raises DataError without any sentence.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    normalizer, splitter = normalizers.BertNormalizer(lowercase=True), pre_tokenizers.BertPreTokenizer()
    counts: Counter[str] = Counter()
    for sentence in sentences:
        counts.update(piece for piece, _ in splitter.pre_tokenize_str(normalizer.normalize_str(sentence)))
    if not counts:
        raise DataError("no sentences to learn a vocabulary from: give the suite a stream, or the backbone a `model`")
    inner = Tokenizer(models.WordPiece(_numbered(_pieces(counts, size - len(SPECIAL))), unk_token=UNKNOWN))
    inner.normalizer, inner.pre_tokenizer = normalizer, splitter
    return _finished(inner)


def _pieces(counts: Counter[str], size: int) -> list[str]:
    characters: Counter[str] = Counter()
    for word, count in counts.items():
        for character in word:
            characters[character] += count
    # At most half of the vocabulary for characters (alone and continuing): an alphabet of thousands leaves no words.
    letters = _by_frequency(characters)[: max(1, size // 4)]
    spelled = [*letters, *(f"##{letter}" for letter in letters)]
    known = set(spelled)
    return (spelled + [word for word in _by_frequency(counts) if word not in known])[:size]


def _by_frequency(counts: Counter[str]) -> list[str]:
    return sorted(counts, key=lambda word: (-counts[word], word))


def _numbered(words: Sequence[str]) -> dict[str, int]:
    distinct = dict.fromkeys([*SPECIAL, *words])
    return {word: number for number, word in enumerate(distinct)}


def _finished(inner: Any) -> Any:
    from tokenizers import decoders, processors
    from transformers import PreTrainedTokenizerFast

    ids = inner.get_vocab()
    inner.post_processor = processors.TemplateProcessing(
        single=f"{CLS} $A {SEP}", pair=f"{CLS} $A {SEP} $B:1 {SEP}:1", special_tokens=[(CLS, ids[CLS]), (SEP, ids[SEP])]
    )
    inner.decoder = decoders.WordPiece()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token=PAD, unk_token=UNKNOWN, cls_token=CLS, sep_token=SEP, mask_token=MASK
    )
