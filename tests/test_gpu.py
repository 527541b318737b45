"""What only a CUDA device can show. `nox -s gpu_tests`; every test skips where there is none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from compilers import QUIET

from dalr_bench.cli.main import main

TINY = Path(__file__).parent / "suites" / "tiny.yaml"
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
    # torch says so whenever its own check for synchronising calls is switched on.
    pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype feature:UserWarning"),
]


@pytest.fixture(autouse=True)
def _not_deterministic_for_the_next() -> Iterator[None]:
    """`--deterministic` is a state of the process, and runs here share one."""
    yield
    torch.use_deterministic_algorithms(False)


def run(results: Path, *extra: str) -> dict[str, dict[str, Any]]:
    with pytest.raises(SystemExit) as left:
        main(["run", str(TINY), "--results", str(results), "--executor", "inline", *extra])
    assert left.value.code == 0
    return {path.parent.name: json.loads(path.read_text()) for path in results.glob("tiny/*/record.json")}


def losses(results: Path) -> dict[str, list[float]]:
    return {
        path.parent.name: [json.loads(line)["loss"] for line in path.read_text().splitlines()]
        for path in results.glob("tiny/*/steps.jsonl")
    }


def test_the_device_is_chosen_by_itself_and_recorded(tmp_path: Path) -> None:
    records = run(tmp_path, "--only", "ranked", "--seed", "0")
    assert {record["environment"]["device"].split(":")[0] for record in records.values()} == {"cuda"}
    assert all("precision=fp32" in score["protocol"] for record in records.values() for score in record["scores"])


def test_fp32_on_cuda_follows_the_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Dropout draws differ between devices, so it is off, and convolutions keep all bits of fp32; what is left is the
    # order of sums.
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    still = [
        "--set",
        "train.precision=fp32",
        "--set",
        "backbone.hidden_dropout=0.0",
        "--only",
        "baseline",
        "--seed",
        "0",
    ]
    run(tmp_path / "cuda", *still, "--device", "cuda")
    run(tmp_path / "cpu", *still, "--device", "cpu")
    on_cuda, on_cpu = losses(tmp_path / "cuda"), losses(tmp_path / "cpu")
    assert on_cuda.keys() == on_cpu.keys()
    for name, curve in on_cuda.items():
        assert curve == pytest.approx(on_cpu[name], rel=1e-3), name


def test_a_seed_gives_the_same_scores_twice(tmp_path: Path) -> None:
    first = run(tmp_path / "a", "--only", "ranked", "--seed", "0")
    second = run(tmp_path / "b", "--only", "ranked", "--seed", "0")
    for name, record in first.items():
        assert [s["value"] for s in record["scores"]] == pytest.approx(
            [s["value"] for s in second[name]["scores"]], abs=2e-3
        )


def test_no_question_to_the_device_in_a_step(tmp_path: Path) -> None:
    """torch itself refuses synchronising calls while a step runs."""
    from tests.train.test_engine import engine, spread

    made = engine(spread())
    made.device = torch.device("cuda")
    made.student.to("cuda")
    made.objective.to("cuda")
    stream = made.streams["text"]
    for name in ("_ids", "_offsets"):
        setattr(stream.tokens, name, getattr(stream.tokens, name).to("cuda"))
    for resident in stream.teachers.stored.values():
        assert resident.text is not None
        resident.text = resident.text.to("cuda")
    made.forward(0)[0].backward()
    torch.cuda.set_sync_debug_mode("error")
    try:
        made.forward(1)[0].backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_a_run_that_is_killed_twice_goes_on_to_the_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With deterministic algorithms; without them the order of atomic sums is the device's own."""
    from dalr_bench.telling import Teller

    line = ["--only", "baseline", "--seed", "0", "--deterministic", "--set", "train.steps=8"]
    whole = run(tmp_path / "whole", *line)

    class Killed(BaseException):
        pass

    for at in (4, 6):

        def dying(self: Teller, step: int, *_: Any, at: int = at) -> None:
            if step == at and self.run_id.startswith("baseline"):
                raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(Teller, "step", dying)
            with pytest.raises(Killed):
                run(tmp_path / "killed", *line, "--checkpoint-every", "1steps")
    resumed = run(tmp_path / "killed", *line)
    assert {name: (r["weights"], r["scores"], r["dev_curve"]) for name, r in resumed.items()} == {
        name: (r["weights"], r["scores"], r["dev_curve"]) for name, r in whole.items()
    }
    assert losses(tmp_path / "killed") == losses(tmp_path / "whole")


def test_costs_are_counted_on_the_device_and_change_nothing(tmp_path: Path) -> None:
    looked = run(tmp_path / "a", "--only", "ranked", "--seed", "0", "--deterministic", "--set", "train.account_every=1")
    unseen = run(tmp_path / "b", "--only", "ranked", "--seed", "0", "--deterministic", "--set", "train.account_every=0")
    assert {name: record["weights"] for name, record in looked.items()} == {
        name: record["weights"] for name, record in unseen.items()
    }
    costs = next(record["costs"] for record in looked.values() if record["variant"] == "ranked")
    for part in ("student", "losses.info", "losses.listmle", "optimizer", "step"):
        assert costs[part]["ms_per_step"] > 0, part
        assert costs[part]["peak_bytes"] > 0, part
    assert costs["train"]["gpu_seconds"] == costs["train"]["seconds"] > 0
    assert costs["train"]["peak_bytes"] >= costs["step"]["peak_bytes"]


def pulls(results: Path) -> dict[str, dict[str, float]]:
    """Columns on the terms' gradients of the first step, where weights are equal yet. The teachers are runs themselves, so
    what they rank is equal up to rounding only; in double precision tests/train compare."""
    first = {path.parent.name: json.loads(path.read_text().splitlines()[0]) for path in results.glob("tiny/*/steps.jsonl")}
    return {name: {key: x for key, x in row.items() if key.startswith(("grad(", "cosine("))} for name, row in first.items()}


def test_gradients_of_terms_are_the_same_in_pieces_and_change_nothing(tmp_path: Path) -> None:
    still = ["--only", "ranked", "--seed", "0", "--deterministic", "--set", "train.precision=fp32"]
    still += ["--set", "backbone.hidden_dropout=0.0", "--set", "train.account_every=0"]
    looking, pieces = ["--set", "train.gradients_every=2"], ["--set", "train.micro_batch=3"]
    run(tmp_path / "whole", *still, *looking)
    looked, unseen = run(tmp_path / "looked", *still, *looking, *pieces), run(tmp_path / "unseen", *still, *pieces)
    assert {name: record["weights"] for name, record in looked.items()} == {
        name: record["weights"] for name, record in unseen.items()
    }
    wanted = pulls(tmp_path / "whole")
    for name, row in pulls(tmp_path / "looked").items():
        assert row == pytest.approx(wanted[name], rel=0.01, abs=0.02), name


def test_joules_are_those_of_the_counter(tmp_path: Path) -> None:
    pytest.importorskip("pynvml", reason="needs nvidia-ml-py")
    records = run(tmp_path, "--only", "baseline", "--seed", "0")
    for record in records.values():
        costs = record["costs"]
        watts = costs["train"]["joules"] / costs["train"]["seconds"]
        assert 5 < watts < 2000
        assert costs["step"]["joules_per_step"] == pytest.approx(watts * costs["step"]["ms_per_step"] / 1e3, rel=1e-6)


def packed_and_padded(precision: str, pooling: str) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Rows and every gradient of one encoder on the device, dropout off: packed (jagged attention) and padded."""
    from tests.plugins.packed.test_training import batch, encoder, gradients, packed, padded

    model = encoder("Bert").to("cuda")
    where = torch.autocast("cuda", torch.bfloat16, enabled=precision == "bf16")
    out = []
    for way in ("packed", "padded"):
        with where:
            if way == "padded":
                rows, _ = padded(model, pooling, "cuda")
            else:
                rows, _ = packed(model, pooling, False, "cuda")
        found = {name: value.cpu() for name, value in gradients(model, rows.float().cpu(), None).items()}
        out.append({"rows": rows.detach().float().cpu(), **found})
    assert batch().lengths_N is not None
    return out[0], out[1]


@pytest.mark.parametrize("pooling", ["cls_before_pooler", "mean"])
def test_the_packed_step_is_the_padded_one_on_the_device(pooling: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cuda.matmul, "allow_tf32", False)
    packed, padded = packed_and_padded("fp32", pooling)
    assert packed.keys() == padded.keys()
    for name, value in padded.items():
        torch.testing.assert_close(packed[name], value, rtol=0, atol=2e-5, msg=name)


def test_the_packed_step_in_bf16_stays_near() -> None:
    packed, padded = packed_and_padded("bf16", "cls_before_pooler")
    flat = [torch.cat([found[name].flatten() for name in padded]) for found in (packed, padded)]
    assert torch.cosine_similarity(flat[0], flat[1], dim=0) > 0.995


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_no_question_to_the_device_in_a_whole_packed_step(precision: str, tmp_path: Path) -> None:
    """Gather, packed forward with dropout, losses with stored teachers, backward, clipping and optimizer."""
    from dalr_bench.plugin.manager import load
    from dalr_bench.racing import ours
    from dalr_bench.train.optim import optimizer
    from tests.racing.test_equal import made

    setting = made(tmp_path, 0.1, 3, teachers=2, precision=precision, device="cuda")
    trained = ours.engine(setting, torch.device("cuda"), load(frozenset({"backbone", "loss"})).catalogue)
    adam = optimizer(trained.student, trained.objective, trained.options)
    weights = [p for group in adam.param_groups for p in group["params"]]

    def step(number: int) -> None:
        trained.forward(number)[0].backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0, foreach=True)
        adam.step()
        adam.zero_grad(set_to_none=True)

    step(0)
    torch.cuda.set_sync_debug_mode("error")
    try:
        step(1)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def compiled(folder: Path, mode: str, dropout: float, steps: int) -> Any:
    """The engine of `bench train` on the device, fp32, as `train.compile: mode` has it."""
    from dalr_bench.plugin.manager import load
    from dalr_bench.racing import ours
    from tests.racing.test_equal import made

    folder.mkdir()
    setting = made(folder, dropout, steps, device="cuda", compile=mode)
    return ours.engine(setting, torch.device("cuda"), load(frozenset({"backbone", "loss"})).catalogue)


def trained(folder: Path, mode: str, dropout: float = 0.0, steps: int = 6) -> tuple[list[float], torch.Tensor]:
    """Losses of all steps, and the weights after them."""
    from dalr_bench.train.engine import Watch

    engine, seen = compiled(folder, mode, dropout, steps), list[float]()
    engine.train(Watch(lambda step, steps, values: seen.append(values["loss"])))
    return seen, torch.cat([weight.detach().flatten().cpu() for weight in engine.student.parameters()])


@QUIET
@pytest.mark.parametrize("mode", ["default", "graphs"])
def test_compiled_steps_train_what_plain_steps_train(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cuda.matmul, "allow_tf32", False)
    plain, weights = trained(tmp_path / "plain", "none")
    found, own = trained(tmp_path / mode, mode)
    assert found == pytest.approx(plain, abs=1e-4)
    torch.testing.assert_close(own, weights, rtol=0, atol=2e-4)  # six steps of Adam at 3e-5


@QUIET
@pytest.mark.parametrize("mode", ["default", "graphs"])
def test_a_seed_drops_the_same_units_in_replayed_graphs(mode: str, tmp_path: Path) -> None:
    """A recorded graph must not repeat the masks of its recording: losses differ from step to step and not from run to run."""
    first, _ = trained(tmp_path / "a", mode, dropout=0.3, steps=9)
    again, _ = trained(tmp_path / "b", mode, dropout=0.3, steps=9)
    still, _ = trained(tmp_path / "c", mode, dropout=0.0, steps=9)
    assert again == pytest.approx(first, abs=1e-3)
    assert first != pytest.approx(still, abs=1e-3)


@QUIET
@pytest.mark.parametrize("mode", ["default", "graphs"])
def test_no_question_to_the_device_in_a_compiled_step(mode: str, tmp_path: Path) -> None:
    from compilers import counted

    from dalr_bench.train.compiling import compiling
    from dalr_bench.train.optim import optimizer

    engine = compiled(tmp_path / "x", mode, 0.1, 4)
    adam = optimizer(engine.student, engine.objective, engine.options)
    with compiling(engine.student, engine.options.compile, engine.device):
        for _ in range(4):  # compiled, warmed up, recorded, replayed
            engine.update(0, adam)
        with counted() as seen:
            torch.cuda.set_sync_debug_mode("error")
            try:
                engine.update(0, adam)
            finally:
                torch.cuda.set_sync_debug_mode("default")
        assert seen["graphs"] == 0


@QUIET
def test_graphs_are_recorded_and_nothing_is_left_out(tmp_path: Path) -> None:
    """inductor counts what it compiled and could not record."""
    from torch._dynamo.utils import counters

    counters.clear()
    trained(tmp_path / "x", "graphs", dropout=0.1, steps=12)
    assert counters["inductor"]["cudagraph_skips"] == 0


def test_bench_train_runs_on_the_device(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["bench", "train", "--device", "cuda", "--precision", "bf16", "--rounds", "2", "--batch", "16", "--json"])
    assert left.value.code == 0
    found = json.loads(capsys.readouterr().out)
    assert found["unit"] == "seconds of the device"
    assert all(side["peak_bytes"] > 0 and side["mfu"] > 0 for side in found["sides"].values())


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
@pytest.mark.parametrize("shard", ["none", "fsdp"])
def test_two_gpus_follow_one(tmp_path: Path, shard: str) -> None:
    still = ["--set", "train.precision=fp32", "--set", "backbone.hidden_dropout=0.0", "--only", "ranked", "--seed", "0"]
    still += ["--set", "train.gradients_every=3"]
    one = run(tmp_path / "one", *still)
    two = run(tmp_path / "two", *still, "--executor", f"torchrun:processes=2,shard={shard}")
    assert {record["environment"]["processes"] for record in two.values()} == {2}
    assert {record["environment"]["device"].split(":")[0] for record in two.values()} == {"cuda"}
    assert one.keys() == two.keys()
    curves = losses(tmp_path / "one"), losses(tmp_path / "two")
    for name, curve in curves[1].items():
        assert curve == pytest.approx(curves[0][name], rel=1e-3), name
        assert pulls(tmp_path / "two")[name] == pytest.approx(pulls(tmp_path / "one")[name], rel=0.01, abs=0.02), name
