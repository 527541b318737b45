"""The loop: same seed, same weights; looking changes nothing; NaN is named; the best checkpoint is the one kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from dalr_bench import Encoding, LossInputs, LossOutput, TokenBatch, TrainingError
from dalr_bench.config import TrainOptions
from dalr_bench.data.schedule import Schedule
from dalr_bench.data.teachers import Resident, TeacherBank
from dalr_bench.data.tokens import DeviceTokens, TokenStore
from dalr_bench.train.engine import Engine, Stream, Watch
from dalr_bench.train.objective import Objective, Term
from dalr_bench.train.optim import rate_factor
from dalr_bench.train.seed import derive, seed_torch

ROWS = 24


class Bag(nn.Module):
    """Mean of word vectors with dropout: a student small enough to reason about."""

    dim = 8

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(30, self.dim)
        self.drop = nn.Dropout(0.2)

    def encode(self, tokens: TokenBatch, views: int, states: bool) -> Encoding:
        mask_NL1 = tokens.mask_NL[..., None].float()
        rows = [(self.drop(self.words(tokens.ids_NL)) * mask_NL1).sum(1) / mask_NL1.sum(1) for _ in range(views)]
        pooled_NVD = torch.stack(rows, 1)
        return Encoding(pooled_NVD, pooled_NVD)


class Spread:
    """Squared distance between views minus distance to the teacher: any smooth function does."""

    def __init__(self) -> None:
        self.scale = nn.Linear(8, 2)

    def __call__(self, inputs: LossInputs) -> LossOutput:
        first, second = inputs.encoding.projected_NVD.unbind(1)
        noise = torch.rand((), generator=inputs.generator).to(first.device)  # a scalar: any device takes it
        teacher = inputs.teachers["t"].text_NT
        assert teacher is not None
        loss = (first - second).square().mean() + (self.scale(first) - teacher).square().mean() * (1 + noise)
        return LossOutput(loss.squeeze(), {"noise": noise})


class Poison:
    """Fine for three steps, then not a number."""

    def __call__(self, inputs: LossInputs) -> LossOutput:
        value = inputs.encoding.projected_NVD.sum() * 0
        return LossOutput(value / 0 if inputs.step == 3 else value)


def engine(terms: Mapping[str, Callable[[LossInputs], LossOutput]], seed: int = 0, **options: object) -> Engine:
    seed_torch(seed, "student")
    student = Bag()
    ids = np.random.default_rng(0).integers(1, 30, 5 * ROWS).astype(np.int32)
    tokens = DeviceTokens(TokenStore(ids, np.arange(0, 5 * ROWS + 1, 5), 0), torch.device("cpu"))
    bank = TeacherBank({"t": Resident(text=torch.randn(ROWS, 2, generator=torch.Generator().manual_seed(1)))}, {})
    chosen = TrainOptions.model_validate({"steps": 12, "batch": 6, "lr": 0.01, "dev_every": 4, **options})
    objective = Objective([Term(name, loss, 1.0) for name, loss in terms.items()])
    plan = Schedule({"text": ROWS}, chosen, seed)
    return Engine(student, objective, {"text": Stream(tokens, bank)}, plan, chosen, seed, torch.device("cpu"))


def spread() -> dict[str, Callable[[LossInputs], LossOutput]]:
    seed_torch(0, "loss")
    return {"spread": Spread()}


def weights(made: Engine) -> list[torch.Tensor]:
    return [*made.student.state_dict().values(), *made.objective.state_dict().values()]


def quiet(step: int, steps: int, values: Mapping[str, float]) -> None:
    return None


def drawing(step: int, steps: int, values: Mapping[str, float]) -> None:
    """A tracker that draws at random."""
    torch.rand(3)


def disturbing(step: int) -> float:
    """A dev check as rude as can be: it draws from every generator."""
    torch.rand(7)
    np.random.rand(3)
    return float(step)


def test_same_seed_same_weights_to_the_bit() -> None:
    first, second, other = engine(spread()), engine(spread()), engine(spread(), seed=1)
    for made in (first, second, other):
        made.train(Watch(quiet))
    assert all(torch.equal(a, b) for a, b in zip(weights(first), weights(second), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(weights(first), weights(other), strict=True))


def test_looking_changes_nothing() -> None:
    bare = engine(spread(), keep="last", log_every=12)
    watched = engine(spread(), keep="last", log_every=1)
    bare.train(Watch(quiet))
    watched.train(Watch(drawing, disturbing))
    assert all(torch.equal(a, b) for a, b in zip(weights(bare), weights(watched), strict=True))


def test_a_dev_check_that_leaves_everything_in_eval_mode_changes_nothing() -> None:
    bare, watched = (engine(spread(), keep="last") for _ in range(2))

    def forgetful(step: int) -> float:
        watched.student.eval()
        watched.objective.eval()
        return 0.0

    bare.train(Watch(quiet))
    watched.train(Watch(quiet, forgetful))
    assert all(torch.equal(a, b) for a, b in zip(weights(bare), weights(watched), strict=True))


def test_gradients_are_cut_where_they_are_long_and_nowhere_else() -> None:
    uncut, wide, narrow = (engine(spread(), clip=limit) for limit in (0.0, 1e9, 1e-3))
    for made in (uncut, wide, narrow):
        made.train(Watch(quiet))
    assert all(torch.equal(a, b) for a, b in zip(weights(uncut), weights(wide), strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(weights(uncut), weights(narrow), strict=True))


def test_training_reduces_the_loss_and_logs_every_step_and_term() -> None:
    rows: list[tuple[int, Mapping[str, float]]] = []
    made = engine(spread(), steps=60, log_every=7)
    made.train(Watch(lambda step, steps, values: rows.append((step, values))))
    assert [step for step, _ in rows] == list(range(1, 61))
    assert set(rows[0][1]) == {"loss", "spread", "spread.noise", "grad_norm", "rate"}
    assert np.mean([v["loss"] for _, v in rows[-10:]]) < 0.8 * np.mean([v["loss"] for _, v in rows[:10]])
    assert rows[0][1]["rate"] == pytest.approx(0.01)
    assert rows[-1][1]["rate"] == pytest.approx(0.01 / 60)


def test_the_best_checkpoint_is_kept_and_the_last_where_asked() -> None:
    values = iter([0.5, 0.9, 0.1])
    best, seen = engine(spread()), []

    def dev(step: int) -> float:
        seen.append([value.clone() for value in weights(best)])
        return next(values)

    result = best.train(Watch(quiet, dev))
    assert result.best_step == 8
    assert [point["value"] for point in result.dev_curve] == [0.5, 0.9, 0.1]
    assert all(torch.equal(a, b) for a, b in zip(weights(best), seen[1], strict=True))
    last = engine(spread(), keep="last")
    assert last.train(Watch(quiet, lambda step: 1.0 / step)).best_step == 12


def test_nan_stops_the_run_and_names_step_and_term() -> None:
    with pytest.raises(TrainingError, match=r"step 4: not finite: poison \(all terms: .*spread="):
        engine({**spread(), "poison": Poison()}, log_every=5).train(Watch(quiet))


def test_no_active_term_is_told() -> None:
    made = engine(spread())
    made.objective = Objective([Term("spread", Spread(), 1.0, on=("pairs",))])
    with pytest.raises(TrainingError, match="no loss term is active on stream 'text'"):
        made.train(Watch(quiet))


def test_zero_steps_leave_the_student_as_it_was() -> None:
    made = engine(spread(), steps=0)
    before = [value.clone() for value in weights(made)]
    assert made.train(Watch(quiet)).steps == 0
    assert all(torch.equal(a, b) for a, b in zip(weights(made), before, strict=True))


def test_a_step_is_the_plain_mathematics() -> None:
    """One step by hand: AdamW's first update is lr · sign(g) after the weighted sum's gradient, clipped by its norm."""
    made = engine(spread(), steps=1, schedule="constant", clip=1e9)
    loss, _ = made.forward(0)
    before = made.student.words.weight.detach().clone()
    (gradient,) = torch.autograd.grad(loss, [made.student.words.weight])
    made.train(Watch(quiet))
    moved = gradient.abs() > 1e-6
    step = (before - made.student.words.weight)[moved]
    assert torch.allclose(step, 0.01 * gradient[moved].sign(), rtol=1e-3)


@pytest.mark.parametrize(
    ("kind", "at", "want"),
    [("linear", 0, 1.0), ("linear", 50, 0.5), ("constant", 99, 1.0), ("cosine", 50, 0.5), ("cosine", 0, 1.0)],
)
def test_rates(kind: str, at: int, want: float) -> None:
    assert rate_factor(at, 100, TrainOptions.model_validate({"steps": 100, "schedule": kind})) == pytest.approx(want)


def test_warm_up_rises_then_falls_to_zero() -> None:
    options = TrainOptions(steps=100, warmup=0.1)
    factors = [rate_factor(step, 100, options) for step in range(101)]
    assert factors[:10] == pytest.approx([(k + 1) / 10 for k in range(10)])
    assert factors[100] == 0
    assert all(a > b for a, b in pairwise(factors[10:]))


def test_seeds_differ_by_purpose() -> None:
    assert len({derive(s, name, k) for s in range(5) for name in ("step", "loss") for k in range(50)}) == 500


def test_columns_are_further_views_in_order() -> None:
    made = engine(spread())
    stream = made.streams["text"]
    other = DeviceTokens(TokenStore(np.arange(ROWS, dtype=np.int32), np.arange(ROWS + 1), 0), torch.device("cpu"))
    made.streams = {"text": Stream(stream.tokens, stream.teachers, columns=[other, stream.tokens])}
    made.student.eval()
    batch = made.batch(0)
    encoding = made.encode(batch)
    assert encoding.pooled_NVD.shape == (6, 3, Bag.dim)
    assert torch.equal(encoding.pooled_NVD[:, 0], encoding.pooled_NVD[:, 2])
    assert torch.equal(encoding.projected_NVD[:, 1], made.student.words(batch.rows_N))
