"""A step whose batch does not fit into memory: encoded piece by piece, while every loss sees the whole batch.

GradCache (Gao et al. 2021, "Scaling deep contrastive learning batch size under memory limited setup", eq. 5-7), in two passes:
1. every piece is encoded without a graph; the losses look at the joined encodings E and give dL/dE and the gradients
   of their own parts;
2. every piece is encoded again, with a graph, and dL/dE of its rows is sent back through it.
The gradient is that of the whole batch; only the order of additions differs. On the way the gradient of each term alone may be
looked at (`conflict`): dL_k/dE goes through the same graph of a piece, before that of their sum. Random draws are replayed: before each
encoding of piece k torch is seeded by (seed, step, k), so both passes drop the same units. The masks are those of the
pieces, therefore others than the whole batch would have drawn, of the same distribution.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dalr_bench.errors import TrainingError
from dalr_bench.train.distributed import Group
from dalr_bench.train.looks import Looks
from dalr_bench.train.seed import seed_torch
from dalr_bench.types import Batch, Encoding

Terms = dict[str, Tensor]


class Step(Protocol):
    """What the engine offers of one step."""

    student: Any
    objective: Any
    seed: int
    group: Group
    looks: Looks

    def batch(self, step: int) -> Batch: ...
    def pieces(self, step: int, size: int) -> Iterator[Batch]: ...
    def autocast(self) -> AbstractContextManager[object]: ...
    def encode(self, batch: Batch) -> Encoding: ...
    def losses(self, step: int, batch: Batch, encoding: Encoding) -> tuple[Tensor, Terms]: ...


def backward(work: Step, step: int, size: int | None) -> tuple[Tensor, Terms]:
    """Leave the step's gradients in `.grad` of all parameters; loss and terms, detached.

    The own share of the batch (all of it, where one process trains) is encoded `size` rows at a time. A share that is one
    piece is encoded once, with its graph. Raises TrainingError where the student normalises over the batch.
    """
    refuse_batch_statistics(work.student)
    work.student.train()
    work.objective.train()
    batch, group = work.batch(step), work.group
    rows = len(batch.rows_N)
    pieces = list(work.pieces(step, size or rows))
    once = len(pieces) == 1
    with torch.set_grad_enabled(once):
        found = [_encoded(work, step, number, piece) for number, piece in _numbered(group, pieces)]
    work.looks.lap("student")
    whole = leaves(group.gather(joined(found, batch.tokens.ids_NL.shape[1]), rows))
    if group.size > 1:
        work.looks.lap("exchange")
    seed_torch(work.seed, "step", step, "losses")
    with work.autocast():
        loss, terms = work.losses(step, batch, whole)
    work.looks.split(step, work.student, group, distinct(whole))
    torch.autograd.backward(loss)
    _back(work, step, pieces, whole, found[0] if once else None)
    if group.size > 1:
        work.looks.begins("exchange")
    group.reduce(work.student, work.objective)
    return loss.detach(), terms


def _back(work: Step, step: int, pieces: Sequence[Batch], whole: Encoding, kept: Encoding | None) -> None:
    """The gradients on the own rows of `whole` through the pieces' graphs: of one that was `kept`, or of each encoded again."""
    work.looks.begins("student")
    on_rows = [leaf.grad for leaf in distinct(whole)]
    mine = work.group.own(len(whole.pooled_NVD))
    start = mine.start
    for number, piece in _numbered(work.group, pieces):
        stop = min(start + len(piece.rows_N), mine.stop)
        encoded = _encoded(work, step, number, piece) if kept is None else kept
        sent = partial(through, encoded, slice(start, stop))
        work.looks.piece(sent)
        send_back(*sent(on_rows))
        start = stop
    work.looks.settle()


def _numbered(group: Group, pieces: Sequence[Batch]) -> Iterator[tuple[int, Batch]]:
    """Over all processes: each has as many."""
    return enumerate(pieces, group.rank * len(pieces))


def _encoded(work: Step, step: int, number: int, piece: Batch) -> Encoding:
    seed_torch(work.seed, "step", step, number)
    # An autocast of its own: one that saw weights without a graph would hand its copies to the pass that needs one.
    with work.autocast():
        return work.encode(piece)


def joined(parts: Sequence[Encoding], width: int) -> Encoding:
    """Encodings of consecutive rows as one; token states are padded to `width` tokens."""
    pooled_NVD = torch.cat([part.pooled_NVD for part in parts])
    same = all(part.projected_NVD is part.pooled_NVD for part in parts)
    projected_NVD = pooled_NVD if same else torch.cat([part.projected_NVD for part in parts])
    states = [_widened(part.states_NVLD, width) for part in parts if part.states_NVLD is not None]
    return Encoding(pooled_NVD, projected_NVD, torch.cat(states) if states else None)


def _widened(states_NVLD: Tensor, width: int) -> Tensor:
    return F.pad(states_NVLD, (0, 0, 0, width - states_NVLD.shape[2]))


def leaves(found: Encoding) -> Encoding:
    """The same numbers as leaves that collect a gradient; one leaf where the projected rows are the pooled ones."""
    pooled_NVD = found.pooled_NVD.detach().requires_grad_()
    same = found.projected_NVD is found.pooled_NVD
    projected_NVD = pooled_NVD if same else found.projected_NVD.detach().requires_grad_()
    states_NVLD = None if found.states_NVLD is None else found.states_NVLD.detach().requires_grad_()
    return Encoding(pooled_NVD, projected_NVD, states_NVLD)


def distinct(found: Encoding) -> list[Tensor]:
    """What gradients go back by, each tensor once: of rows that are pooled and projected in one, one holds the gradient of both."""
    rest = [] if found.projected_NVD is found.pooled_NVD else [found.projected_NVD]
    return [found.pooled_NVD, *rest, *([] if found.states_NVLD is None else [found.states_NVLD])]


def through(piece: Encoding, rows: slice, on_rows: Sequence[Tensor | None]) -> tuple[list[Tensor], list[Tensor]]:
    """A piece's outputs and the gradients of its `rows` on them, of gradients on the whole batch (as `distinct` has them).
    What no loss looked at has none and is left alone, and so are rows that fill up a share."""
    outputs, gradients = [], []
    for output, on_all in zip(distinct(piece), on_rows, strict=True):
        if on_all is not None and output.requires_grad:
            gradient = on_all[rows]
            outputs.append(output[: len(gradient)])
            gradients.append(gradient if gradient.ndim == 3 else gradient[:, :, : output.shape[2]])  # states are padded
    return outputs, gradients


def send_back(outputs: Sequence[Tensor], gradients: Sequence[Tensor]) -> None:
    """Through the piece's own graph, into `.grad`."""
    if outputs:
        torch.autograd.backward(outputs, gradients)


def refuse_batch_statistics(student: nn.Module) -> None:
    """Raise TrainingError where a part of the student normalises over the batch: pieces would change what it computes."""
    found = [name for name, module in student.named_modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    if found:
        raise TrainingError(
            f"the student's {found[0]} normalises over the batch: it cannot be encoded in pieces (train.micro_batch, several processes)"
        )
