"""A batch encoded in pieces: the gradient of the whole batch for every loss, and the same dropout in both passes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from every_loss import LOSSES, ONLY_TEXT, encodings_of, engine, gradients, pieces_by_hand, weights
from torch import nn

from dalr_bench import LossInputs, LossOutput, TrainingError
from dalr_bench.train.engine import Engine, Watch
from dalr_bench.train.objective import Objective, Term
from dalr_bench.train.seed import seed_torch
from dalr_bench.types import Batch


def agree(found: dict[str, Any], wanted: dict[str, Any], tolerance: float = 1e-9) -> None:
    """Equal up to `tolerance` of the largest entry of each tensor."""
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert (found[name] is None) == (value is None), name
        if value is not None:
            assert torch.allclose(found[name], value, rtol=0, atol=tolerance * max(1.0, float(value.abs().max()))), name


def one_step(made: Engine, step: int = 1) -> tuple[float, dict[str, float], dict[str, Any]]:
    loss, terms = made.backward(step)
    return float(loss.detach()), {name: float(value) for name, value in terms.items()}, gradients(made)


@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize("label", [label for label in LOSSES if label != "cross"])
def test_every_loss_has_the_whole_batchs_gradient(label: str, size: int) -> None:
    whole, pieces = one_step(engine([label])), one_step(engine([label], micro_batch=size))
    assert pieces[0] == pytest.approx(whole[0], rel=1e-9, abs=1e-12)
    assert pieces[1] == pytest.approx(whole[1], rel=1e-9, abs=1e-12)
    agree(pieces[2], whole[2])


def test_single_precision_agrees_to_a_hundred_thousandth() -> None:
    labels = [label for label in LOSSES if label != "towers"]  # batch normalisation divides by small differences
    whole, pieces = (one_step(engine(labels, single=True, micro_batch=size)) for size in (None, 3))
    assert pieces[0] == pytest.approx(whole[0], rel=1e-5)
    agree(pieces[2], whole[2], 1e-5)


def test_all_losses_together_in_a_joint_space_train_the_same_weights() -> None:
    whole, pieces = engine(list(LOSSES)), engine(list(LOSSES), micro_batch=4)
    for made in (whole, pieces):
        made.train(Watch(lambda step, steps, values: None))
    before = weights(engine(list(LOSSES)))
    agree(weights(pieces), weights(whole), 1e-7)
    assert sum(bool((value != before[name]).any()) for name, value in weights(whole).items()) > 40


def test_triplets_in_columns() -> None:
    made = [engine(ONLY_TEXT, triplets=True, micro_batch=size) for size in (None, 4)]
    whole, pieces = (one_step(each) for each in made)
    agree(pieces[2], whole[2])
    assert made[0].encode(made[0].batch(0)).pooled_NVD.shape[1] == 3


@pytest.mark.parametrize("label", [label for label in LOSSES if label != "cross"])
def test_with_dropout_both_passes_drop_the_same_units(label: str) -> None:
    """By hand: pieces encoded with a graph under the seeds of (seed, step, piece), joined, one backward through all."""
    made, by_hand = engine([label], dropout=0.3, micro_batch=4), engine([label], dropout=0.3)
    found = one_step(made, 2)
    assert found[0] == pytest.approx(pieces_by_hand(by_hand, 2, 4), rel=1e-9)
    agree(found[2], gradients(by_hand))
    assert max(float(value.abs().max()) for value in found[2].values() if value is not None) > 1e-4
    assert found[0] != pytest.approx(one_step(engine([label], micro_batch=4), 2)[0], rel=1e-4)


def test_a_step_in_pieces_can_be_done_again() -> None:
    first, second = (one_step(engine(["info"], dropout=0.3, micro_batch=3), 3) for _ in range(2))
    torch.rand(5)
    assert first[0] == second[0]
    assert all(a is None or torch.equal(a, second[2][name]) for name, a in first[2].items())


class States:
    """Looks at token states only, padding included."""

    needs_tokens = True

    def __init__(self) -> None:
        self.scale = nn.Linear(16, 1)

    def __call__(self, inputs: LossInputs) -> LossOutput:
        states_NVLD = inputs.encoding.states_NVLD
        assert states_NVLD is not None
        mask_N1L1 = inputs.batch.tokens.mask_NL[:, None, :, None]
        assert states_NVLD.shape[2] == mask_N1L1.shape[2]
        return LossOutput((torch.sigmoid(self.scale(states_NVLD)) * mask_N1L1).square().sum())


def test_token_states_take_part() -> None:
    found = []
    for size in (None, 3):
        made = engine(["info"], micro_batch=size)
        seed_torch(0, "states")
        made.objective = Objective([Term("states", States(), 1.0)]).double()
        found.append(one_step(made))
    agree(found[1][2], found[0][2])
    # Nobody looked at the head: its gradient is none, not zero, so that AdamW does not decay it.
    assert found[1][2]["student.head.linear.weight"] is None


def test_bf16_weights_get_their_gradient_in_the_second_pass() -> None:
    """Autocast remembers weights it cast without a graph; a shared context would leave the second pass without one."""
    whole, pieces = (one_step(engine(["info"], single=True, precision="bf16", micro_batch=size)) for size in (None, 4))
    assert pieces[0] == pytest.approx(whole[0], rel=0.02)
    for name, value in whole[2].items():
        assert (value is None) == (pieces[2][name] is None)
        if value is not None and value.abs().max() > 1e-4:  # a key's bias has no gradient but rounding
            assert torch.nn.functional.cosine_similarity(value.flatten(), pieces[2][name].flatten(), 0) > 0.97, name


def test_no_graph_is_kept_for_more_than_a_piece() -> None:
    made = engine(["info"], micro_batch=4)
    seen = encodings_of(made)
    made.backward(0)
    assert seen == [(4, False), (4, False), (2, False), (4, True), (4, True), (2, True)]


def test_a_head_that_normalises_over_the_batch_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"head\.steps\.1 normalises over the batch"):
        engine(["info"], head="batchnorm", micro_batch=4).backward(0)


def test_pieces_are_the_rows_of_the_batch() -> None:
    made = engine(["info"], micro_batch=4)
    pieces: list[Batch] = list(made.pieces(1, 4))
    assert torch.equal(torch.cat([piece.rows_N for piece in pieces]), made.batch(1).rows_N)
    assert [len(piece.rows_N) for piece in pieces] == [4, 4, 2]
