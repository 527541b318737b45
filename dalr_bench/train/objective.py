"""The objective of a run: L = Σ weight · term, over the terms active on a step's stream; each term logged by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dalr_bench.errors import SuiteError, TrainingError, counted
from dalr_bench.protocols import Loss, SpaceProvider
from dalr_bench.types import Encoding, JointSpace, LossInputs


@dataclass(frozen=True)
class Term:
    """One entry of the suite's `losses`: the component, its weight, the streams it is active on (None: all)."""

    label: str
    loss: Loss
    weight: float
    on: tuple[str, ...] | None = None
    uses: tuple[str, ...] = ()

    def active(self, stream: str) -> bool:
        return self.on is None or stream in self.on


Lap = Callable[..., None]


def _untold(part: str, *outputs: Tensor) -> None:
    """Nobody looks."""


class Objective(nn.Module):
    """All terms of a run. Their `nn.Module` attributes are trained with the student; spaces are shared between terms."""

    def __init__(self, terms: Sequence[Term]) -> None:
        super().__init__()
        self.terms = tuple(terms)
        self._learned: dict[str, bool] = {}
        for term in self.terms:
            _put(self, term.label, parts_of(term.loss))

    @property
    def needs_tokens(self) -> bool:
        return any(getattr(term.loss, "needs_tokens", False) for term in self.terms)

    @property
    def needs_pixels(self) -> int:
        """Edge of the pictures in the batch; 0 where no term looks at pictures."""
        edges = {edge for term in self.terms if (edge := int(getattr(term.loss, "needs_pixels", 0) or 0))}
        if len(edges) > 1:
            raise SuiteError(f"losses ask for pictures of different sizes: {sorted(edges)}")
        return max(edges, default=0)

    def views(self, stream: str) -> int:
        """Dropout passes a stream's batch needs."""
        return max((int(getattr(term.loss, "views", 2)) for term in self.terms if term.active(stream)), default=1)

    @property
    def idle(self) -> list[str]:
        """Labels of terms that were computed and never had a gradient: beside others that is no error, and trains nothing."""
        return [label for label, learned in self._learned.items() if not learned]

    @property
    def spaces(self) -> dict[str, SpaceProvider]:
        return {term.label: term.loss for term in self.terms if isinstance(term.loss, SpaceProvider)}

    def forward(self, inputs: LossInputs, lap: Lap = _untold) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted sum, and every term detached: `label` is the unweighted value, `label.part` what it reports inside.

        `lap` is told when the joint spaces (`spaces`) and each weighted term (`losses.LABEL`) are there.
        """
        active = [term for term in self.terms if term.active(inputs.batch.stream) and term.weight != 0]
        if not active:
            raise TrainingError(f"no loss term is active on stream '{inputs.batch.stream}'")
        inputs = self._with_spaces(inputs, active)
        if inputs.spaces:
            lap("spaces", *(side for space in inputs.spaces.values() for side in (space.text_NVE, space.image_NE)))
        total = inputs.encoding.projected_NVD.new_zeros((), dtype=torch.float32)
        logged: dict[str, Tensor] = {}
        for term in active:
            output = term.loss(inputs)
            self._learned[term.label] = output.loss.requires_grad or self._learned.get(term.label, False)
            weighted = term.weight * output.loss
            lap(f"losses.{term.label}", weighted)
            total = total + weighted
            logged[term.label] = output.loss.detach()
            logged |= {f"{term.label}.{name}": value.detach() for name, value in output.terms.items()}
        return total, logged

    def _with_spaces(self, inputs: LossInputs, active: Sequence[Term]) -> LossInputs:
        wanted = {name for term in active for name in term.uses}  # a loss makes its own space once, in its own call
        spaces: dict[str, JointSpace] = {
            name: provider.space(inputs) for name, provider in self.spaces.items() if name in wanted
        }
        return LossInputs(inputs.batch, inputs.encoding, inputs.teachers, spaces, inputs.step, inputs.generator)


def trainable(loss: object) -> Mapping[str, nn.Module]:
    """The trainable parts of a loss: itself where it is a module, else its attributes that are."""
    if isinstance(loss, nn.Module):
        return {"loss": loss}
    return {name: value for name, value in vars(loss).items() if isinstance(value, nn.Module)}


def parts_of(loss: object) -> nn.Module:
    """The trainable parts of a loss as one module; a ModuleDict has no room for parts called `values` or `keys`."""
    found = nn.Module()
    for name, part in trainable(loss).items():
        _put(found, name, part)
    return found


def _put(parent: nn.Module, name: str, child: nn.Module) -> None:
    """`child` under its name, with `_` after it where a module has such an attribute (`type`, `train`, ...) already."""
    while hasattr(parent, name):
        name += "_"
    parent.add_module(name, child)


def check_encoding(encoding: Encoding, rows: int) -> None:
    """One row per sentence, or a fault that names the backbone's mistake."""
    if encoding.pooled_NVD.ndim != 3 or len(encoding.pooled_NVD) != rows:
        raise TrainingError(
            f"the backbone gave pooled rows of shape {tuple(encoding.pooled_NVD.shape)} for {counted(rows, 'sentence')}; expected [N, V, D]"
        )


def tensors(encoding: Encoding) -> list[Tensor]:
    """All that losses may look at of an encoding."""
    found = (encoding.pooled_NVD, encoding.projected_NVD, encoding.states_NVLD)
    return [each for each in found if each is not None]
