"""`train.compile` in the loop: no compilation after the first of each shape, the plain step's mathematics, looks that change nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from compilers import QUIET, counted, with_a_compiler
from every_loss import LOSSES, engine, gradients, kept_bytes, pieces_by_hand, weights

from dalr_bench import SuiteError, TrainingError
from dalr_bench.keeping import Keeping
from dalr_bench.stopping import Stop
from dalr_bench.train import compiling as module
from dalr_bench.train.checkpoint import Checkpoints
from dalr_bench.train.compiling import compiling, ready
from dalr_bench.train.engine import Engine, Watch
from dalr_bench.train.recompute import recomputing
from dalr_bench_plugins.shaped.slices import filled, rows_of_a_slice, widths_of

CPU = torch.device("cpu")
# One graph costs seconds of a C++ compiler, so tests share what they compile: one layer, slices of twelve rows whether a
# batch is encoded whole or by halves.
ALIKE: dict[str, Any] = {"single": True, "layers": 1, "batch": 20, "dropout": 0.3}
pytestmark = QUIET


@pytest.fixture
def compiler(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    with_a_compiler(tmp_path_factory, monkeypatch)


def trained(made: Engine) -> tuple[dict[str, torch.Tensor], list[dict[str, float]]]:
    """Weights after all steps, and what was logged of them."""
    seen: list[dict[str, float]] = []
    made.train(Watch(lambda step, steps, values: seen.append(dict(values))))
    return weights(made), seen


def shapes(made: Engine) -> set[tuple[int, int]]:
    """(rows, width) of all slices of all steps, worked out from lengths alone."""
    found = set()
    for step in range(made.schedule.steps):
        _, rows = made.schedule.at(step)
        lengths_N = made.streams["pairs"].tokens.lengths[rows]
        each = rows_of_a_slice(len(rows), "cpu", graphs=False)
        widths = widths_of(lengths_N, filled(lengths_N, each), each, made.student.tokenizer.max_length)
        found |= {(each, width) for width in widths}
    return found


def equal(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    return found.keys() == wanted.keys() and all(torch.equal(found[name], value) for name, value in wanted.items())


@pytest.mark.usefixtures("compiler")
def test_nothing_is_compiled_after_the_first_of_each_shape() -> None:
    made = engine(["info"], **ALIKE, compile="default", steps=6)
    with counted() as seen:
        trained(made)
    assert seen == {"graphs": len(shapes(made)), "breaks": 0}


@pytest.mark.usefixtures("compiler")
def test_loss_and_all_gradients_are_those_of_the_plain_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every loss sees the batch in its own order: captions, pictures and teachers' rows stand beside their sentences."""
    monkeypatch.setattr("dalr_bench_plugins.shaped.slices._GRAIN", 16)  # one shape to compile
    labels = [label for label in LOSSES if label != "towers"]  # batch normalisation divides by small differences
    alike = {**ALIKE, "dropout": 0.0, "batch": 10}
    plain, made = engine(labels, **alike), engine(labels, **alike)
    loss, terms = plain.backward(1)
    with compiling(made.student, "default", CPU):
        found, own = made.backward(1)
    assert found.item() == pytest.approx(loss.item(), abs=1e-5)
    assert {name: float(value) for name, value in own.items()} == pytest.approx(
        {name: float(value) for name, value in terms.items()}, abs=1e-4
    )
    wanted = gradients(plain)
    for name, value in gradients(made).items():
        other = wanted[name]
        assert (value is None) == (other is None), name
        if value is not None and other is not None:
            torch.testing.assert_close(value, other, rtol=0, atol=1e-5 * max(1.0, float(other.abs().max())), msg=name)


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize("size", [None, 10])
def test_looking_on_changes_nothing_and_a_seed_gives_the_same_bits(size: int | None) -> None:
    """Timed steps and gradients of every term (a graph walked back more than once) against none of both."""
    labels = ["info", "intra"]
    unseen, _ = trained(engine(labels, **ALIKE, compile="default", account_every=0, micro_batch=size))
    looked = engine(labels, **ALIKE, compile="default", account_every=1, gradients_every=2, micro_batch=size)
    seen, rows = trained(looked)
    assert equal(seen, unseen)
    assert sum("cosine(info, intra)" in row for row in rows) == 2
    costs = looked.looks.account.costs()
    assert costs["student"]["ms_per_step"] is not None
    assert costs["student"]["peak_bytes"] is None  # nothing is compiled under a gauge's eyes: unknown, not zero
    plain, _ = trained(engine(labels, **ALIKE, micro_batch=size))
    assert not equal(plain, unseen)  # other draws: why the setting counts for the identity


@pytest.mark.usefixtures("compiler")
def test_in_pieces_both_passes_drop_the_same_units() -> None:
    found = []
    for by_hand in (False, True):
        made = engine(["info"], **ALIKE, micro_batch=10)
        with compiling(made.student, "default", CPU):
            loss = pieces_by_hand(made, 2, 10) if by_hand else float(made.backward(2)[0].detach())
        found.append((loss, gradients(made)))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-6)
    for name, value in found[1][1].items():
        if value is not None:
            torch.testing.assert_close(found[0][1][name], value, rtol=0, atol=1e-5 * max(1.0, float(value.abs().max())))


@pytest.mark.slow
@pytest.mark.usefixtures("compiler")
def test_layers_computed_again_keep_less_and_drop_the_same_units() -> None:
    found = []
    for on in (False, True):
        made = engine(["info"], **{**ALIKE, "layers": 3})
        with recomputing(made.student, on), compiling(made.student, "default", CPU):
            found.append((kept_bytes(made), gradients(made)))
    assert found[1][0] < 0.7 * found[0][0]
    for name, value in found[0][1].items():
        if value is not None:
            torch.testing.assert_close(found[1][1][name], value, rtol=0, atol=1e-5 * max(1.0, float(value.abs().max())))


class Died(BaseException):
    pass


@pytest.mark.usefixtures("compiler")
def test_killed_and_gone_on_with_it_ends_with_the_same_bits(tmp_path: Path) -> None:
    """Another engine, everything compiled anew, from the checkpoint of step 4 on."""

    def saved(made: Engine, at: int = 0) -> dict[str, torch.Tensor]:
        def step(number: int, steps: int, values: Any) -> None:
            if number == at:
                raise Died

        saver = Checkpoints(tmp_path, Keeping(steps=2), Stop(), lambda event: None, made.schedule.steps)
        saver.find()
        made.train(Watch(step), saver)
        return weights(made)

    whole, _ = trained(engine(["info"], **ALIKE, compile="default", steps=6))
    with pytest.raises(Died):
        saved(engine(["info"], **ALIKE, compile="default", steps=6, log_every=1), at=5)
    assert equal(saved(engine(["info"], **ALIKE, compile="default", steps=6)), whole)


@pytest.mark.usefixtures("compiler")
def test_what_is_not_a_number_is_named() -> None:
    made = engine(["info"], **ALIKE, compile="default", log_every=1)
    with torch.no_grad():
        made.student.encoder.encoder.layer[0].output.dense.weight[0, 0] = float("nan")
    with pytest.raises(TrainingError, match="step 1: not finite: info"):
        trained(made)


# ------------------------------------------------------------------ what is refused
def test_graphs_without_a_gpu_are_refused() -> None:
    with pytest.raises(SuiteError, match=r"train\.compile: graphs: CUDA graphs need a CUDA device") as told:
        ready("graphs", CPU)
    assert (told.value.exit_code, len(told.value.faults)) == (2, 1)


def test_without_a_compiler_it_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """No compiler on the path: the real driver's own complaint."""
    monkeypatch.setattr(module, "_broken", module._broken.__wrapped__)
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", ("no-such-compiler",))
    monkeypatch.setattr("torch._inductor.config.fx_graph_cache", False)
    torch.compiler.reset()
    with pytest.raises(TrainingError, match=r"train\.compile: default: code cannot be compiled here") as told:
        ready("default", CPU)
    assert told.value.exit_code == 5
    assert "\n" not in str(told.value)
    torch.compiler.reset()


@pytest.mark.usefixtures("compiler")
def test_a_backbone_that_cannot_is_told() -> None:
    with pytest.raises(SuiteError, match=r"train\.compile: Linear has no forward"), compiling(torch.nn.Linear(1, 1), "default", CPU):
        pass
    made = engine(["info"], single=True, compile="default")
    made.student.encoder.register_forward_hook(lambda *_: None)
    with pytest.raises(SuiteError, match="the layers of BertModel are not known here"):
        trained(made)


@pytest.mark.parametrize("other", ["micro_batch: 4", "gradient_checkpointing: true", "gradients_every: 2"])
def test_what_does_not_go_into_recorded_graphs_is_refused(other: str) -> None:
    key, value = other.split(": ")
    with pytest.raises(ValueError, match=f"leave out `{key}`"):
        engine(["info"], compile="graphs", **{key: {"true": True}.get(value) or int(value)})
