"""What a backbone promises: rows in order whatever the padding, finite, with a gradient, saved and loaded whole."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dalr_bench.conformance.bench import Bench, BrokenError, Check, UncheckedError
from dalr_bench.conformance.probes import finite, quoted, random_states_kept, rows_agree, same_weights, weights_of
from dalr_bench.conformance.stand_ins import EXTREMES, SENTENCES
from dalr_bench.errors import TrainingError
from dalr_bench.protocols import PackingBackbone
from dalr_bench.types import TokenBatch

_PICKLES = {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt"}


def tokens(bench: Bench) -> None:
    """Ids of every extreme: whole numbers below the size, the same each time."""
    tokenizer = bench.one().tokenizer
    bench.need(
        isinstance(tokenizer.fingerprint, str) and bool(tokenizer.fingerprint), "its tokenizer has no fingerprint"
    )
    bench.need(0 <= tokenizer.pad_id < tokenizer.size, f"pad id {tokenizer.pad_id} of {tokenizer.size}")
    for batch in [SENTENCES, *EXTREMES.values()]:
        bench.note = quoted(batch)
        ids = tokenizer(list(batch))
        bench.need(len(ids) == len(batch), f"gave {len(ids)} lists for {len(batch)} sentences")
        wrong = next((i for row in ids for i in row if not 0 <= i < tokenizer.size), None)
        bench.need(wrong is None, f"gave id {wrong}, its size is {tokenizer.size}")
        bench.need(list(map(list, ids)) == list(map(list, tokenizer(list(batch)))), "gave other ids the second time")


def rows(bench: Bench) -> None:
    """Shapes of `embed`, and of `encode` with one and two views, with and without states."""
    student, batch = _student(bench), _batch(bench, SENTENCES)
    n, width = batch.ids_NL.shape
    embedded = _embed(bench, student, SENTENCES)
    bench.need(embedded.shape == (n, student.dim), f"embed gave {tuple(embedded.shape)}, expected {(n, student.dim)}")
    for views, states in ((1, False), (2, True)):
        bench.note = f"encode(views={views}, states={states}) of {quoted(SENTENCES)}"
        encoding = _trained(student, batch, views, states)
        got = tuple(encoding.pooled_NVD.shape), tuple(encoding.projected_NVD.shape[:2])
        bench.need(got == ((n, views, student.dim), (n, views)), f"gave {got}")
        if states:
            shape = None if encoding.states_NVLD is None else tuple(encoding.states_NVLD.shape[:3])
            bench.need(shape == (n, views, width), f"gave token states {shape}, expected {(n, views, width)}")


def order(bench: Bench) -> None:
    """All at once, one by one, backwards, and padded further."""
    student = _student(bench)
    whole = _embed(bench, student, SENTENCES)
    got = {
        "asked one by one": torch.cat([_embed(bench, student, [one]) for one in SENTENCES]),
        "asked backwards": _embed(bench, student, SENTENCES[::-1]).flip(0),
        "padded by four more columns": _embedded(student, _batch(bench, SENTENCES, more=4)),
    }
    for how, rows_ND in got.items():
        bench.note = f"{quoted(SENTENCES)}, {how}"
        rows_agree(rows_ND, whole, f"{how}, not as all at once")


def repeats(bench: Bench) -> None:
    """Twice the same bits, weights and random states as before."""
    student = _student(bench)
    before = weights_of(student)
    first = _embed(bench, student, SENTENCES)
    with random_states_kept():
        again = _embed(bench, student, SENTENCES)
    bench.need(torch.equal(first, again), "asked twice in eval mode, its rows differ")
    same_weights(before, weights_of(student))


def gradient(bench: Bench) -> None:
    """Some parameter moves."""
    student = bench.build().to(bench.device).train()
    bench.note = quoted(SENTENCES)
    encoding = _trained(student, _batch(bench, SENTENCES), 2, False)
    torch.autograd.backward(encoding.projected_NVD.square().sum())
    found = [parameter.grad for parameter in student.parameters() if parameter.grad is not None]
    bench.need(bool(found), "no gradient reaches its parameters")
    for grad in found:
        finite(grad, "a gradient")


def all_finite(bench: Bench) -> None:
    """Every extreme."""
    for name, batch in EXTREMES.items():
        answer = _embed(bench, _student(bench), batch)
        bench.note = f"{name}: {quoted(batch)}"
        finite(answer, "its rows")


def on_device(bench: Bench) -> None:
    """Where the tokens are."""
    where = _embed(bench, _student(bench), SENTENCES[:2]).device.type
    bench.need(where == torch.device(bench.device).type, f"its rows are on '{where}', its tokens on '{bench.device}'")


def saved(bench: Bench) -> None:
    """Through safetensors into a new one; and `save`, whose files a stranger may open without fear."""
    from safetensors.torch import load, save

    student = _student(bench)
    state = {name: value.detach().clone().contiguous() for name, value in student.state_dict().items()}
    other = bench.build(seed=77).to(bench.device).eval()
    other.load_state_dict(load(save(state)) if state else {})
    bench.note = f"{len(state)} tensors saved and loaded"
    same = torch.equal(_embed(bench, student, SENTENCES), _embed(bench, other, SENTENCES))
    bench.need(same, "with its weights loaded, a new one gives other rows")
    with tempfile.TemporaryDirectory() as folder:
        bench.note = "save(folder)"
        student.save(folder)
        files = [path for path in Path(folder).rglob("*") if path.is_file()]
        bench.need(bool(files), "it wrote no file")
        pickled = [path.name for path in files if path.suffix in _PICKLES]
        bench.need(not pickled, f"it wrote {', '.join(pickled)}: a pickle")


def protocol(bench: Bench) -> None:
    """What joins the table's footer."""
    facts = bench.one().protocol()
    json.dumps(dict(facts), allow_nan=False)


def cost(bench: Bench) -> None:
    """Forward and backward of 56 sentences, told and not judged."""
    student = bench.build().to(bench.device).train()
    batch = _batch(bench, SENTENCES * 8)
    started = time.process_time()
    torch.autograd.backward(_trained(student, batch, 2, False).projected_NVD.sum())
    bench.facts["cost"] = (
        f"{1000 * (time.process_time() - started):.1f} ms of CPU a step of {len(batch.ids_NL)} sentences"
    )


def _student(bench: Bench) -> Any:
    student = bench.one()
    if not isinstance(student, torch.nn.Module):
        raise BrokenError(f"it is a {type(student).__name__}, expected an nn.Module")
    return student.to(bench.device).eval()


def _batch(bench: Bench, sentences: Sequence[str], more: int = 0) -> TokenBatch:
    """Right-padded, as a store gives it."""
    tokenizer = bench.one().tokenizer
    ids = [list(row) for row in tokenizer(list(sentences))]
    width = max(map(len, ids)) + more
    padded = torch.tensor([row + [tokenizer.pad_id] * (width - len(row)) for row in ids])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in ids])
    return TokenBatch(padded.to(bench.device), mask.to(bench.device))


def packs(bench: Bench) -> None:
    """Sentences one after another without padding: the rows `embed` gives."""
    student, tokenizer = _student(bench), bench.one().tokenizer
    if not isinstance(student, PackingBackbone) or not student.packs:
        raise UncheckedError("it does not pack")
    by_length = sorted(SENTENCES, key=lambda one: len(tokenizer([one])[0]))
    ids = [list(tokenizer([one])[0]) for one in by_length]
    packed_T = torch.tensor([i for row in ids for i in row]).to(bench.device)
    bench.note = f"{quoted(SENTENCES)}, packed by length"
    with torch.inference_mode():
        got = student.embed_packed(packed_T, [len(row) for row in ids])
    rows_agree(got, _embed(bench, student, by_length), "packed, not as padded")


def _embed(bench: Bench, student: Any, sentences: Sequence[str]) -> Tensor:
    bench.note = quoted(sentences)
    return _embedded(student, _batch(bench, sentences))


def _embedded(student: Any, batch: TokenBatch) -> Tensor:
    with torch.inference_mode():
        answer: Tensor = student.embed(batch)
    return answer


def _trained(student: Any, batch: TokenBatch, views: int, states: bool) -> Any:
    try:
        return student.encode(batch, views=views, states=states)
    except TrainingError as error:
        raise UncheckedError(f"it is not for training: {error}") from None


CHECKS: tuple[tuple[str, Check], ...] = (
    ("backbone.tokens", tokens),
    ("backbone.rows", rows),
    ("backbone.order", order),
    ("backbone.packs", packs),
    ("backbone.repeats", repeats),
    ("backbone.gradient", gradient),
    ("backbone.finite", all_finite),
    ("backbone.device", on_device),
    ("backbone.saved", saved),
    ("backbone.protocol", protocol),
    ("cost", cost),
)
