"""An optimizer whose state dict is the same for all processes of a run: the first one reads and writes it, the others take part.

What the first process loads from a checkpoint is handed to the others; where weights are cut among the processes (`sharding`) so
are their moments, and whoever asks the first process for the state gets whole tensors.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

from dalr_bench.train.distributed import Group, is_part
from dalr_bench.train.words import Heard, Word

Moments = dict[int, dict[str, Tensor]]
_LOAD, _GATHER = 0, 1


def share_state(adam: torch.optim.Optimizer, group: Group) -> None:
    """At the first process of several: from now on the state dict of this optimizer is that of all."""
    if group.size > 1 and group.rank == 0:
        adam.register_load_state_dict_pre_hook(lambda adam, document: _given(adam, document, group))
        if any(map(is_part, _weights(adam))):
            adam.register_state_dict_post_hook(lambda adam, document: _gathered(document, group))


def take_part(adam: torch.optim.Optimizer, heard: Heard) -> None:
    """At the others."""
    if heard.number == _GATHER:
        _whole(adam.state_dict()["state"])
        return
    empty = {
        int(index): {name: torch.zeros(shape, dtype=getattr(torch, kind)) for name, (shape, kind) in of.items()}
        for index, of in heard.more["forms"].items()
    }
    groups: Any = adam.state_dict()["param_groups"]
    adam.load_state_dict({"state": _pass(adam, empty), "param_groups": groups})


def _given(adam: torch.optim.Optimizer, document: dict[str, Any], group: Group) -> dict[str, Any]:
    state: Moments = document["state"]
    forms = {str(index): {name: _form(value) for name, value in of.items()} for index, of in state.items()}
    group.say(Word.MOMENTS, _LOAD, forms=forms)
    return {**document, "state": _pass(adam, state)}


def _gathered(document: dict[str, Any], group: Group) -> dict[str, Any]:
    group.say(Word.MOMENTS, _GATHER)
    return {**document, "state": _whole(document["state"])}


def _pass(adam: torch.optim.Optimizer, state: Moments) -> Moments:
    """The first process's numbers at all, cut as the weights are."""
    weights = _weights(adam)
    first = dist.get_rank() == 0
    passed: Moments = {}
    for index, values in state.items():
        weight = weights[index]
        passed[index] = {}
        for name, value in values.items():
            if is_part(weight) and value.shape == weight.shape:
                from dalr_bench.train.sharding import like

                passed[index][name] = like(weight, value if first else None)
            else:
                passed[index][name] = value.to(weight.device)
                dist.broadcast(passed[index][name], 0)
    return passed


def _form(value: Tensor) -> tuple[list[int], str]:
    return list(value.shape), str(value.dtype).removeprefix("torch.")


def _whole(state: Moments) -> Moments:
    """Whole tensors on the host, gathered in the order of the weights."""
    return {
        index: {name: value.full_tensor().cpu() if is_part(value) else value for name, value in state[index].items()}
        for index in sorted(state)
    }


def _weights(adam: torch.optim.Optimizer) -> list[Any]:
    return [weight for group in adam.param_groups for weight in group["params"]]
