"""What a teacher promises: rows in order, the same each time, frozen, finite."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from dalr_bench.conformance.bench import Bench, BrokenError, Check, UncheckedError
from dalr_bench.conformance.probes import (
    finite,
    no_gradients,
    quoted,
    random_states_kept,
    rows_agree,
    same_weights,
    weights_of,
)
from dalr_bench.conformance.stand_ins import EXTREMES, SENTENCES, pictures
from dalr_bench.errors import UserError
from dalr_bench.protocols import CombiningTeacher, StoredTeacher
from dalr_bench.types import TeacherRows


def rows(bench: Bench) -> None:
    """[N, T] for N = 1, 3 and all, of one width."""
    widths = {_asked(bench, SENTENCES[:count]).shape[1] for count in (1, 3, len(SENTENCES))}
    bench.need(len(widths) == 1, f"the width of its rows changes with the number of sentences: {sorted(widths)}")


def device(bench: Bench) -> None:
    """Where the harness can fetch them."""
    where = _asked(bench, SENTENCES[:2]).device.type
    allowed = {"cpu", torch.device(bench.device).type}
    bench.need(where in allowed, f"its rows are on '{where}', it was given '{bench.device}'")


def order(bench: Bench) -> None:
    """All at once, one by one, in threes and backwards: the same rows."""
    whole = _asked(bench, SENTENCES)
    threes = [SENTENCES[start : start + 3] for start in range(0, len(SENTENCES), 3)]
    got = {
        "asked one by one": torch.cat([_asked(bench, [one]) for one in SENTENCES]),
        "asked in threes": torch.cat([_asked(bench, three) for three in threes]),
        "asked backwards": _asked(bench, SENTENCES[::-1]).flip(0),
    }
    for how, rows_ND in got.items():
        bench.note = f"{quoted(SENTENCES)}, {how}"
        rows_agree(rows_ND, whole, f"{how}, not as all at once")
    _sentences_count(bench, whole)


def _sentences_count(bench: Bench, whole: Tensor) -> None:
    bench.note = quoted(SENTENCES)
    bench.need(len(torch.unique(whole.float(), dim=0)) > 1, "all its rows are equal, whatever the sentence")


def repeats(bench: Bench) -> None:
    """Twice the same bits; the same from a new object built under another random state; equal fingerprints."""
    first = _asked(bench, SENTENCES)
    with random_states_kept():
        again = _asked(bench, SENTENCES)
    bench.need(torch.equal(first, again), "asked twice, its rows differ")
    other = bench.build(seed=99)
    bench.note = f"{quoted(SENTENCES)}, built anew under another random state"
    bench.need(torch.equal(first, _checked(bench, other, SENTENCES)), "built again, it gives other rows")
    names = [getattr(teacher, "fingerprint", "") for teacher in (bench.one(), other)]
    bench.need(all(isinstance(name, str) for name in names), f"its fingerprint is no text: {names[0]!r}")
    bench.need(names[0] == names[1], f"built again, its fingerprint is another one: {names[0]!r}, {names[1]!r}")


def frozen(bench: Bench) -> None:
    """Weights before and after; no gradient on them, none on the rows; nothing left in training mode changes rows."""
    teacher = bench.one()
    _asked(bench, SENTENCES[:2])  # weights that are opened when first asked are there now
    before = weights_of(teacher)
    bench.note = f"encode_text({quoted(SENTENCES)}) with gradients enabled"
    with torch.enable_grad():
        answer = teacher.encode_text(list(SENTENCES))
    same_weights(before, weights_of(teacher))
    no_gradients(teacher)
    bench.need(not answer.requires_grad, "its rows carry a gradient: a loss could train it")


def all_finite(bench: Bench) -> None:
    """Every extreme."""
    for name, batch in EXTREMES.items():
        answer = _asked(bench, batch)
        bench.note = f"{name}: {quoted(batch)}"
        finite(answer, "its rows")


def images(bench: Bench) -> None:
    """The same promises for pictures."""
    encode = _side(bench, "encode_image")
    drawn = pictures()
    bench.note = f"{len(drawn)} pictures of 24 pixels"
    whole = encode(drawn)
    bench.need(isinstance(whole, Tensor) and whole.ndim == 2 and len(whole) == len(drawn), f"gave {_form(whole)}")
    finite(whole, "its picture rows")
    with random_states_kept():
        bench.need(torch.equal(whole, encode(drawn)), "asked twice, its picture rows differ")
    bench.note = "pictures one by one"
    rows_agree(torch.cat([encode([one]) for one in drawn]), whole, "asked one by one, not as all at once")
    bench.note = "pictures in the opposite order"
    rows_agree(encode(drawn[::-1]).flip(0), whole, "asked backwards")


def states(bench: Bench) -> None:
    """The same promises for token states."""
    encode = _side(bench, "encode_states")
    bench.note = quoted(SENTENCES)
    whole = encode(list(SENTENCES))
    bench.need(len(whole) == len(SENTENCES), f"gave {len(whole)} tensors for {len(SENTENCES)} sentences")
    bench.need(all(one.ndim == 2 and len(one) for one in whole), f"shapes are {[tuple(one.shape) for one in whole]}")
    for one in whole:
        finite(one, "its token states")
    turned = encode(SENTENCES[::-1])[::-1]
    bench.note = "sentences in the opposite order"
    for number, (one, other) in enumerate(zip(whole, turned, strict=True)):
        rows_agree(other, one, f"asked backwards, sentence {number}")


def combines(bench: Bench) -> None:
    """A row (or a row of similarities) a sentence, no gradient, parts unchanged."""
    teacher = bench.one()
    if not isinstance(teacher, CombiningTeacher):
        raise UncheckedError("it is no combination of others")
    torch.manual_seed(0)
    parts = [TeacherRows(text_NT=torch.randn(6, 8 + n), image_NE=torch.randn(6, 5 + n)) for n in range(len(teacher.of))]
    kept = [part.text_NT.clone() for part in parts if part.text_NT is not None]
    bench.note = f"{len(parts)} parts of 6 rows"
    with random_states_kept():
        answer = teacher.combine(parts)
    given = [rows for rows in (answer.text_NT, answer.image_NE, answer.sim_NN) if rows is not None]
    bench.need(bool(given), "it gave neither rows nor similarities")
    for tensor in given:
        bench.need(len(tensor) == 6 and not tensor.requires_grad, f"gave {_form(tensor)} for 6 sentences")
        finite(tensor, "its rows")
    same = all(torch.equal(old, new.text_NT) for old, new in zip(kept, parts, strict=True) if new.text_NT is not None)
    bench.need(same, "it changed the rows of its parts in place")


def cost(bench: Bench) -> None:
    """CPU time of a small probe, told and not judged."""
    if isinstance(bench.one(), CombiningTeacher | StoredTeacher):
        raise UncheckedError("its rows are made of stored ones")
    probe = list(SENTENCES) * 8
    started = time.process_time()
    _asked(bench, probe)
    bench.facts["cost"] = f"{1000 * (time.process_time() - started) / len(probe):.2f} ms of CPU a sentence"


def _asked(bench: Bench, sentences: Sequence[str]) -> Tensor:
    return _checked(bench, bench.one(), sentences)


def _checked(bench: Bench, teacher: Any, sentences: Sequence[str]) -> Tensor:
    """Rows as the harness asks for them, refused where they are not one row a sentence."""
    if not callable(getattr(teacher, "encode_text", None)):
        raise UncheckedError("it has no text side")
    if isinstance(teacher, StoredTeacher):
        raise UncheckedError("its rows are stored for one corpus")
    bench.note = quoted(sentences)
    with torch.inference_mode():
        answer = teacher.encode_text(list(sentences))
    if not isinstance(answer, Tensor) or answer.ndim != 2 or len(answer) != len(sentences):
        raise BrokenError(
            f"gave {_form(answer)} for {len(sentences)} sentences, expected a tensor [{len(sentences)}, T]"
        )
    bench.need(answer.is_floating_point() and answer.shape[1] > 0, f"gave {_form(answer)}, expected floating rows")
    return answer


def _side(bench: Bench, name: str) -> Callable[[Sequence[Any]], Any]:
    teacher = bench.one()
    encode = getattr(teacher, name, None)
    if encode is None or isinstance(teacher, StoredTeacher):
        raise UncheckedError(f"it has no {name}")

    def ask(inputs: Sequence[Any]) -> Any:
        try:
            with torch.inference_mode():
                return encode(list(inputs))
        except UserError as error:  # it says itself that it has no such side as it is built
            raise UncheckedError(str(error.faults[0])) from None

    return ask


def _form(answer: Any) -> str:
    return f"{answer.dtype} {tuple(answer.shape)}" if isinstance(answer, Tensor) else type(answer).__name__


CHECKS: tuple[tuple[str, Check], ...] = (
    ("teacher.rows", rows),
    ("teacher.device", device),
    ("teacher.order", order),
    ("teacher.repeats", repeats),
    ("teacher.frozen", frozen),
    ("teacher.finite", all_finite),
    ("teacher.images", images),
    ("teacher.states", states),
    ("teacher.combines", combines),
    ("cost", cost),
)
