"""What a loss promises: one number with a gradient, from what it declares and nothing else, without a question to the device."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor

from dalr_bench.conformance.bench import Bench, BrokenError, Check, UncheckedError
from dalr_bench.conformance.probes import finite, random_states_kept
from dalr_bench.conformance.steps import Maker, declared
from dalr_bench.train.objective import parts_of, trainable
from dalr_bench.types import LossInputs, LossOutput

_SHAPES = {"one row": (1, "random"), "equal rows": (6, "equal"), "zero rows": (6, "zero"), "long rows": (6, "long")}


def needs(bench: Bench) -> None:
    """With what it declares it runs; if it runs only where everything is given, it looks at more than it declares."""
    loss, maker = bench.one(), _maker(bench)
    bench.note = f"what it declares: {_told(maker)}"
    try:
        loss(maker.inputs())
    except Exception as error:
        try:
            bench.one()(maker.but(everything=True).inputs())
        except Exception:
            raise error from None
        what = f"{type(error).__name__}: {error}; it runs where every teacher, view, state and picture is given"
        raise BrokenError(f"it looks at more than it declares ({what})") from None


def scalar(bench: Bench) -> None:
    """Shape (), float32, with a graph; terms likewise, without one."""
    output = _output(bench, _maker(bench).inputs())
    loss = output.loss
    bench.need(loss.shape == () and loss.dtype == torch.float32, f"its loss is {loss.dtype} {tuple(loss.shape)}")
    bench.need(loss.requires_grad, "its loss has no gradient")
    finite(loss, "its loss")
    for name, term in output.terms.items():
        plain = isinstance(term, Tensor) and term.shape == () and not term.requires_grad
        bench.need(plain, f"its term '{name}' is no single detached number")


def gradient(bench: Bench) -> None:
    """Something reaches the student, or a space that stands on it, or its own parts."""
    inputs = _maker(bench).inputs()
    torch.autograd.backward(_output(bench, inputs).loss)
    found = [tensor.grad for tensor in _student(inputs) if tensor.grad is not None]
    bench.need(bool(found), "no gradient reaches the student's rows")
    for grad in found:
        finite(grad, "the gradient")
    bench.need(any(bool((grad != 0).any()) for grad in found), "the gradient of the student's rows is zero everywhere")


def teachers(bench: Bench) -> None:
    """Teacher rows stay what they were, to the bit, and get no gradient; so does everything else it is given."""
    inputs = _maker(bench).inputs()
    kept = [(name, tensor, tensor.detach().clone()) for name, tensor in _given(inputs)]
    torch.autograd.backward(_output(bench, inputs).loss)
    for name, tensor, before in kept:
        bench.need(torch.equal(tensor.detach(), before), f"it changed {name} in place")
        if name.startswith("teacher"):
            bench.need(not tensor.requires_grad and tensor.grad is None, f"it asks for a gradient of {name}")


def on_device(bench: Bench) -> None:
    """On the meta device there are no numbers: what was made elsewhere clashes with it or comes out elsewhere."""
    try:
        output = _on_meta(bench)
    except Exception as error:
        if _is_question(error):
            raise UncheckedError("see loss.questions") from None
        raise BrokenError(f"{type(error).__name__}: {error}") from None
    for name, tensor in [("loss", output.loss), *output.terms.items()]:
        bench.need(tensor.device.type == "meta", f"'{name}' came out on '{tensor.device}'")


def questions(bench: Bench) -> None:
    """A read of a number (`.item()`, `if tensor`, a boolean index) raises there."""
    try:
        _on_meta(bench)
    except Exception as error:
        if _is_question(error):
            raise BrokenError(f"it reads a number from the device: {error}") from None
        raise UncheckedError("see loss.device") from None


def repeats(bench: Bench) -> None:
    """Equal inputs, equal loss; the global states stay."""
    maker = _maker(bench)
    _evaluated(bench.one())  # dropout in its own parts draws from torch's state, which the harness seeds for every step
    first = _output(bench, maker.inputs()).loss
    torch.rand(5)
    with random_states_kept():
        again = _output(bench, maker.inputs()).loss
    bench.need(torch.equal(first, again), f"equal inputs gave {first.item()} and {again.item()}")


def all_finite(bench: Bench) -> None:
    """Loss and gradients on every extreme."""
    for name, (count, shape) in _SHAPES.items():
        inputs = _maker(bench).but(n=count, shape=shape).inputs()
        output = _output(bench, inputs)
        bench.note = f"{name}, {_told(_maker(bench))}"
        finite(output.loss, "its loss")
        if not output.loss.requires_grad:
            continue
        torch.autograd.backward(output.loss)
        for tensor in _student(inputs):
            if tensor.grad is not None:
                finite(tensor.grad, "the gradient")


def saved(bench: Bench) -> None:
    """A few steps on its parts, through safetensors into a new one: the same loss to the bit."""
    from safetensors.torch import load, save

    old, new = bench.build(seed=1), bench.build(seed=2)
    maker = _maker(bench)
    parts = parts_of(old)
    for seed in range(3):
        torch.autograd.backward(_call(old, maker.but(seed=seed).inputs()).loss)
        with torch.no_grad():
            for parameter in parts.parameters():
                if parameter.grad is not None:
                    parameter.sub_(parameter.grad, alpha=0.1)
                    parameter.grad = None
    state = {name: value.detach().clone().contiguous() for name, value in parts.state_dict().items()}
    parts_of(new).load_state_dict(load(save(state)) if state else {})
    bench.note = f"three steps, then {len(state)} tensors saved and loaded"
    values = []
    for loss in (old, new):
        torch.manual_seed(0)  # what it draws from the global state is another contract's matter
        values.append(_call(_evaluated(loss), maker.inputs()).loss)
    bench.need(
        torch.equal(values[0], values[1]),
        f"before {values[0].item()}, after {values[1].item()}: what it learnt is not all saved",
    )


def cost(bench: Bench) -> None:
    """Forward and backward of one batch of 64, told and not judged."""
    loss, inputs = bench.one(), _maker(bench).but(n=64).inputs()
    bench.note = "a batch of 64"
    _call(loss, inputs)
    started = time.process_time()
    torch.autograd.backward(_call(loss, inputs).loss)
    bench.facts["cost"] = f"{1000 * (time.process_time() - started):.2f} ms of CPU a batch of 64"


def _maker(bench: Bench) -> Maker:
    return Maker(declared(bench.component, bench.options, bench.one()), device="cpu")


def _output(bench: Bench, inputs: LossInputs) -> LossOutput:
    if not bench.note:
        bench.note = f"{_told(_maker(bench))}"
    output: LossOutput = _call(bench.one(), inputs)
    bench.need(isinstance(output, LossOutput), f"it gave {type(output).__name__}, expected LossOutput")
    return output


def _call(loss: Any, inputs: LossInputs) -> Any:
    return loss(inputs)


def _evaluated(loss: Any) -> Any:
    for module in trainable(loss).values():
        module.eval()
    return loss


def _on_meta(bench: Bench) -> LossOutput:
    maker = _maker(bench).but(device="meta")
    loss = bench.build(device="meta")
    bench.note = f"{_told(maker)}, on the meta device"
    for module in trainable(loss).values():
        module.to("meta")
    output: LossOutput = loss(maker.inputs())
    return output


def _is_question(error: Exception) -> bool:
    told = str(error)
    return any(
        word in told for word in ("item() cannot", "_local_scalar_dense", "aten::nonzero", "aten::equal", "Cannot copy")
    ) or isinstance(error, NotImplementedError)


def _student(inputs: LossInputs) -> list[Tensor]:
    given = [inputs.encoding.pooled_NVD, inputs.encoding.projected_NVD, inputs.encoding.states_NVLD]
    return [tensor for tensor in [*given, *(space.text_NVE for space in inputs.spaces.values())] if tensor is not None]


def _given(inputs: LossInputs) -> list[tuple[str, Tensor]]:
    sides = ("text_NT", "image_NE", "states_NLT")
    out = [
        (f"teacher '{name}' {side}", getattr(rows, side)) for name, rows in inputs.teachers.items() for side in sides
    ]
    out += [("the student's rows", tensor) for tensor in _student(inputs)]
    out += [("the tokens", inputs.batch.tokens.ids_NL), ("the mask", inputs.batch.tokens.mask_NL)]
    return [(name, tensor) for name, tensor in out if tensor is not None]


def _told(maker: Maker) -> str:
    wanted = maker.wanted
    teachers = ", ".join(f"{name} ({'+'.join(sorted(sides))})" for name, sides in wanted.sides.items())
    parts = [f"{maker.n} sentences", f"{wanted.views} views", f"teachers {teachers}" if teachers else "no teacher"]
    parts += ["token states"] * wanted.tokens + [f"pictures of {wanted.pixels}"] * bool(wanted.pixels)
    return ", ".join([*parts, *(f"space '{name}'" for name in wanted.spaces)])


CHECKS: tuple[tuple[str, Check], ...] = (
    ("loss.needs", needs),
    ("loss.scalar", scalar),
    ("loss.gradient", gradient),
    ("loss.teachers", teachers),
    ("loss.device", on_device),
    ("loss.questions", questions),
    ("loss.repeats", repeats),
    ("loss.finite", all_finite),
    ("loss.saved", saved),
    ("cost", cost),
)
