"""Several processes train one student: each encodes its share of a batch, every one sees the encodings of all.

Under torchrun each process has the same weights and the same schedule. A step cuts the batch's rows into equal shares, encodes
the own one, gathers the others' rows, and computes the losses on the whole batch (teachers' rows are stored: every process
reads its own copy). dL/dE of the own rows goes back through the own graph, and the students' gradients are summed. That is the
step of one process with the whole batch, up to the order of additions; negatives, joint spaces and batch normalisation inside
losses included. Dropout masks are a function of (seed, step, piece), as in `gradcache`.

Gradients are summed after the backward pass, large ones where they lie and small ones as one piece, not by torch's
DistributedDataParallel: it waits for every parameter in every step, and a head that no loss of a stream looks at has no
gradient there. What that costs: the sum does not overlap the backward pass. Losses are computed by every process, so a
loss that is heavy itself gains nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.distributed.rendezvous import rendezvous

from dalr_bench.data.shards import Numbers
from dalr_bench.train.meeting import meet, within
from dalr_bench.train.pulse import begin, end, patience
from dalr_bench.train.words import PATIENCE, Line, Word
from dalr_bench.types import Encoding

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor

# Numbers. A tensor of fewer is copied sooner than it would go round by itself.
_LARGE = 1 << 16


@dataclass(frozen=True)
class Group:
    """The processes of one run, `rank` the own number. With one process everything here is the identity.

    `shard`: how weights are cut among them (`fsdp`); None where each has a copy.
    """

    rank: int = 0
    size: int = 1
    line: Line | None = None
    shard: str | None = None

    def say(self, word: Word, number: int = 0, **more: Any) -> None:
        """The first process tells the others what comes next; alone it has nobody to tell."""
        if self.line is not None and self.rank == 0:
            self.line.say(word, number, **more)

    def each(self, rows: int) -> int:
        """Rows of every share."""
        return -(-rows // self.size)

    def share(self, rows: Numbers) -> Numbers:
        """The own rows; where they do not divide evenly, the last row fills up the last shares and is cut off again."""
        each = self.each(len(rows))
        mine = rows[self.rank * each : (self.rank + 1) * each]
        return np.concatenate([mine, np.repeat(rows[-1:], each - len(mine))])

    def own(self, rows: int) -> slice:
        """Where the own share lies in the batch."""
        first = min(rows, self.rank * self.each(rows))
        return slice(first, min(rows, first + self.each(rows)))

    def gather(self, mine: Encoding, rows: int) -> Encoding:
        """Encodings of all shares in the batch's order, without graph, cut to the batch's `rows`."""
        if self.size == 1:
            return mine
        pooled_NVD = self._all(mine.pooled_NVD)[:rows]
        same = mine.projected_NVD is mine.pooled_NVD
        projected_NVD = pooled_NVD if same else self._all(mine.projected_NVD)[:rows]
        states_NVLD = None if mine.states_NVLD is None else self._all(mine.states_NVLD)[:rows]
        return Encoding(pooled_NVD, projected_NVD, states_NVLD)

    def _all(self, rows: Tensor) -> Tensor:
        found = [torch.empty_like(rows, memory_format=torch.contiguous_format) for _ in range(self.size)]
        dist.all_gather(found, rows.detach().contiguous())
        return torch.cat(found)

    def reduce(self, student: nn.Module, objective: nn.Module) -> None:
        """Sum the student's gradients over the shares. The losses' own are those of the whole batch everywhere already;
        their mean keeps processes equal where a device adds in no fixed order.
        """
        if self.size > 1:
            # Gradients of weights that are cut among the processes were summed on the way.
            _summed([p.grad for p in student.parameters() if p.grad is not None and not is_part(p)], 1.0)
            _summed([p.grad for p in objective.parameters() if p.grad is not None], 1.0 / self.size)

    def totals(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Sums over the processes, which all give as many tensors of the same shapes."""
        return list(tensors) if self.size == 1 else _totals(tensors)


def _summed(gradients: Sequence[Tensor], times: float) -> None:
    """Their sums over the processes, in place: large ones go round as they lie, small ones in one piece."""
    large = [gradient.numel() >= _LARGE and gradient.is_contiguous() for gradient in gradients]
    on_the_way = [
        dist.all_reduce(gradient, async_op=True) for gradient, alone in zip(gradients, large, strict=True) if alone
    ]
    small = [gradient for gradient, alone in zip(gradients, large, strict=True) if not alone]
    for gradient, total in zip(small, _totals(small), strict=True):
        gradient.copy_(total)
    for one in on_the_way:
        one.wait()
    if times != 1.0 and gradients:
        torch._foreach_mul_(list(gradients), times)


def _totals(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Their sums over the processes, in order: views of one flat tensor a number type, which goes round as a whole."""
    by_type: dict[torch.dtype, list[int]] = {}
    for place, tensor in enumerate(tensors):
        by_type.setdefault(tensor.dtype, []).append(place)
    found: dict[int, Tensor] = {}
    for places in by_type.values():
        flat = torch.cat([tensors[place].reshape(-1) for place in places])
        dist.all_reduce(flat)
        parts = flat.split([tensors[place].numel() for place in places])
        found |= {place: part.view(tensors[place].shape) for place, part in zip(places, parts, strict=True)}
    return [found[place] for place in range(len(tensors))]


def join(device: torch.device, shard: str | None = None) -> Group:
    """This process's group as torchrun's environment names it (NCCL on CUDA, else gloo); alone without torchrun.

    Raises RuntimeError where others do not come, or the one that holds all together is gone.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Group()
    with within(patience(), end):
        store, rank, size = next(rendezvous("env://", timeout=timedelta(seconds=patience())))
        meet(store, rank, size, patience())
        pulse = begin()  # all are there, and heard from now on
    store.set_timeout(PATIENCE)
    kind = "nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(kind, store=store, rank=rank, world_size=size, timeout=PATIENCE)
    return Group(rank, size, Line(rank, size, dist.new_group(backend="gloo", timeout=PATIENCE), pulse), shard)


def own_device(device: torch.device) -> torch.device:
    """The GPU of this process of a machine."""
    if device.type != "cuda" or "LOCAL_RANK" not in os.environ:
        return device
    own = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    torch.cuda.set_device(own)
    return own


def equal(group: Group, modules: Iterable[nn.Module]) -> None:
    """Give every process the first one's numbers. The first process says so (`Word.EQUAL`), the others come here."""
    if group.size > 1:
        for module in modules:
            for tensor in (*module.parameters(), *module.buffers()):
                if not is_part(tensor):
                    dist.broadcast(tensor.detach(), 0)


def is_part(tensor: Any) -> TypeGuard[DTensor]:
    """Whether the other processes hold the rest of it (a DTensor), asked without importing what that would take."""
    return hasattr(tensor, "full_tensor")
