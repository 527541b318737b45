"""Questions several kinds of component are asked: random states left alone, weights left alone, rows that agree."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dalr_bench.conformance.bench import Bench, BrokenError


@contextmanager
def random_states_kept(torch_too: bool = True) -> Iterator[None]:
    """Raises BrokenError where a global random state differs after the block. Building may draw torch's for first weights."""
    before = _states()
    yield
    after = _states()
    for name, state in before.items():
        if (torch_too or name != "torch") and not np.array_equal(state, after[name]):
            raise BrokenError(f"the global random state of {name} is another one afterwards")


def _states() -> dict[str, Any]:
    drawn: Any = np.random.get_state(legacy=True)
    return {
        "torch": torch.get_rng_state().numpy().copy(),
        "numpy": np.array([*drawn[1], drawn[2]]),
        "random": np.array(random.getstate()[1]),
    }


def seeds_nothing(bench: Bench, **given: Any) -> None:
    """Building and nothing else: numpy's and random's states stay, and torch's is not set to a fixed one."""
    states = []
    for seed in (11, 12):
        bench.note = "building it"
        with random_states_kept(torch_too=False):
            bench.build(seed, **given)
        states.append(torch.get_rng_state())
    bench.need(not torch.equal(*states), "it seeds torch: after building it from two seeds torch's state is the same")


def modules_of(thing: Any, depth: int = 3) -> Iterator[nn.Module]:
    """The modules an object holds, itself included, also inside lists, maps and plain objects."""
    if isinstance(thing, nn.Module):
        yield thing
    elif depth and isinstance(thing, Mapping):
        for value in thing.values():
            yield from modules_of(value, depth - 1)
    elif depth and isinstance(thing, list | tuple | set):
        for value in thing:
            yield from modules_of(value, depth - 1)
    elif depth and hasattr(thing, "__dict__"):
        yield from modules_of(vars(thing), depth - 1)


def weights_of(thing: Any) -> dict[str, Tensor]:
    """Copies of all parameters and buffers it holds."""
    return {
        f"{number}.{name}": value.detach().clone()
        for number, module in enumerate(modules_of(thing))
        for name, value in module.state_dict().items()
        if isinstance(value, Tensor)
    }


def same_weights(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> None:
    """Raises BrokenError naming the first weight that is another one. What was opened in between (lazily) is no change."""
    for name, value in before.items():
        if name not in after or not torch.equal(value, after[name]):
            raise BrokenError(f"its weight '{name}' is another one afterwards")


def no_gradients(thing: Any) -> None:
    """Raises BrokenError where a parameter it holds has a gradient."""
    for module in modules_of(thing):
        for name, parameter in module.named_parameters():
            if parameter.grad is not None:
                raise BrokenError(f"its parameter '{name}' has a gradient")


def rows_agree(got: Tensor, wanted: Tensor, how: str) -> None:
    """Rows equal up to rounding: batched arithmetic may differ in the last bits. Raises BrokenError with the first that does not."""
    if got.shape != wanted.shape:
        raise BrokenError(f"{how}: {tuple(got.shape)} instead of {tuple(wanted.shape)}")
    scale = wanted.detach().float().abs().max().clamp(min=1e-6)
    apart = (got.detach().float() - wanted.detach().float()).abs().flatten(1).max(1).values / scale
    worst = int(apart.argmax())
    if not float(apart[worst]) < 1e-3:
        raise BrokenError(f"{how}: row {worst} differs by {float(apart[worst]):.2g} of the largest value")


def finite(rows: Tensor, what: str) -> None:
    """Raises BrokenError with the first row that holds NaN or infinity."""
    bad = ~torch.isfinite(rows.detach().float()).reshape(len(rows), -1).all(1) if rows.ndim else ~torch.isfinite(rows)
    if bool(bad.any()):
        where = f"row {int(bad.nonzero()[0])} of {what}" if rows.ndim else what
        raise BrokenError(f"{where} is not finite")


def quoted(texts: Sequence[str]) -> str:
    """A batch as it is told to a person."""
    shown = [repr(text if len(text) <= 24 else f"{text[:24]}…") for text in texts[:3]]
    more = f" and {len(texts) - 3} more" if len(texts) > 3 else ""
    return f"[{', '.join(shown)}{more}]"
