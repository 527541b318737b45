"""A student past one card: every process holds a part of each weight, its gradient and its moments (FSDP2).

`torch.distributed.fsdp.fully_shard` cuts every parameter along its first axis. A block's weights are gathered for its forward and its
backward pass and let go again; gradients are summed straight into the parts. What the rest of the code sees does not change: the
student's state dict, and the optimizer's, hold whole tensors at the first process, for hooks on both gather them there and cut them
again, and tell the other processes to take part. So checkpoints, the best weights and `weights.safetensors` are those of one process.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor

from dalr_bench.stopping import undisturbed
from dalr_bench.train.distributed import Group
from dalr_bench.train.words import Word
from dalr_bench.types import Encoding


def shard(student: nn.Module, group: Group, device: torch.device) -> None:
    """Cut a student's weights among the processes, on `device`. It may come from the host: one block at a time is whole there."""
    _known()
    mesh = init_device_mesh(device.type, (group.size,))
    for module in (*blocks(student), student):
        fully_shard(module, mesh=mesh)
    for module in student.modules():
        if isinstance(module, FSDPModule):
            # Every process has dL/dE of the whole loss, so gradients are added; and gloo knows no scaled sum.
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)
    _return_own_tensors(student)
    for name in ("encode", "embed"):  # what of a backbone computes with its weights (protocols.Backbone)
        register_fsdp_forward_method(student, name)
    student.register_state_dict_post_hook(lambda module, state, prefix, metadata: _gather(module, state, group))
    student.register_load_state_dict_pre_hook(lambda module, state, *rest: _scatter(module, state, group))


def blocks(student: nn.Module) -> Iterator[nn.Module]:
    """The members of its lists of modules, which are an encoder's layers; of lists within lists the outermost."""
    seen: list[str] = []
    for name, module in student.named_modules():
        if isinstance(module, nn.ModuleList) and not any(name.startswith(f"{outer}.") for outer in seen):
            seen.append(name)
            yield from module


def _return_own_tensors(student: Any) -> None:
    """FSDP hooks what comes out, and warns of views: an encoding is copied, which costs a row's width a sentence."""
    encode = student.encode

    def copied(*given: Any, **named: Any) -> Encoding:
        found: Encoding = encode(*given, **named)
        pooled_NVD = found.pooled_NVD.clone()
        same = found.projected_NVD is found.pooled_NVD
        states_NVLD = None if found.states_NVLD is None else found.states_NVLD.clone()
        return Encoding(pooled_NVD, pooled_NVD if same else found.projected_NVD.clone(), states_NVLD)

    student.encode = copied


@cache
def _known() -> None:
    """FSDP looks for tensors in what a backbone returns."""
    torch.export.register_dataclass(Encoding)


def take_part(student: nn.Module, word: Word) -> None:
    """At every process but the first: what the hooks of the student's state dict do together."""
    if word is Word.STATE:
        student.state_dict()
    else:
        _scatter(student, None, Group())


def _gather(student: nn.Module, state: dict[str, Any], group: Group) -> None:
    """Whole tensors in place of parts, on the host of the first process."""
    with undisturbed():
        group.say(Word.STATE)
        for name, value in state.items():
            if isinstance(value, DTensor):
                whole = value.full_tensor()
                state[name] = whole.cpu() if dist.get_rank() == 0 else value


def _scatter(student: nn.Module, state: dict[str, Any] | None, group: Group) -> None:
    """Parts in place of the first process's whole tensors; the others copy theirs at once."""
    with undisturbed():
        group.say(Word.LOAD)
        _cut(student, state)


def _cut(student: nn.Module, state: dict[str, Any] | None) -> None:
    cut: dict[int, DTensor] = {}
    for name, weight in student.named_parameters(remove_duplicate=False):
        if not isinstance(weight, DTensor):
            continue
        if id(weight) not in cut:
            cut[id(weight)] = like(weight, None if state is None else state[name])
        if state is not None:
            state[name] = cut[id(weight)]
        else:
            with torch.no_grad():
                weight.copy_(cut[id(weight)])


def like(weight: DTensor, whole: Tensor | None) -> DTensor:
    """The first process's tensor, cut as the weight is; the others give None."""
    given = torch.empty(weight.shape, dtype=weight.dtype) if whole is None else whole
    return distribute_tensor(given.to(weight.device), weight.device_mesh, weight.placements)
