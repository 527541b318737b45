import zlib

import torch
from letter_groups import LetterGroups

from dalr_bench.conformance import conforms


def test_rows_by_hand():
    """ "ab" has the groups " ab" and "ab ": two columns, or one where their hashes meet."""
    expected = torch.zeros(16)
    for group in (b" ab", b"ab "):
        hashed = zlib.crc32(group)
        expected[hashed % 16] += 1.0 if hashed >> 31 else -1.0
    rows = LetterGroups(size=3, width=16).encode_text(["ab", "ab"])
    assert torch.allclose(rows[0], expected / expected.norm())
    assert torch.equal(rows[0], rows[1])


def test_like_sentences_are_near():
    dog, dogs, rain = LetterGroups().encode_text(["a dog runs", "two dogs run", "heavy rain"])
    assert dog @ dogs > dog @ rain


def test_it_keeps_the_contract():
    conforms("teacher/letter_groups")
