"""What every loss promises the engine, whatever its formula."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from loss_inputs import loss_inputs

from dalr_bench import Dims, JointSpace, LossInputs, TeacherRows, TokenBatch
from dalr_bench.plugin.manager import load
from dalr_bench.types import Part

N, D, E, L, V, P = 6, 8, 8, 5, 20, 16
DIMS = Dims(
    student=D, text={"a": D}, image={"clip": E}, vocabulary=V, pad_id=0, mask_id=3, special_ids=frozenset({0, 1, 2, 3})
)
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "infonce": [{}, {"margin": 0.18, "symmetric": True, "same_image": "mask"}],
    "image_grounding": [
        {"image": "clip"},
        {"image": "clip", "text": "a", "margin": 0.15, "threshold": 0.5, "same_image": "mask"},
    ],
    "consistency": [{"image": "clip"}, {"image": "clip", "mismatch": "roll"}],
    "cma": [
        {"teacher": "a", "image": "clip", "space": "joint"},
        {"teacher": "a", "image": "clip", "student": "raw", "margin": 0.18, "diagonal": "exclude"},
    ],
    "ima": [{"teacher": "a"}, {"teacher": "a", "diagonal": "exclude", "margin": 0.18}],
    "listmle": [{"teacher": "a"}, {"teacher": "a", "floor": 1e-7, "ties": "random", "list_len": 3}],
    "listnet": [{"teacher": "a"}],
    "ranking_consistency": [{}, {"clamp": 1e-7, "floor": 1e-7}],
    "replaced_token": [
        {"heads": 2, "generator_heads": 2, "generator_width": 8, "dropout": 0.0},
        {"heads": 2, "generator_heads": 2, "generator_width": 8, "dropout": 0.0, "pick": "sample", "keep_share": 0.1},
    ],
    "global_to_local": [{"teachers": ["a"]}, {"teachers": ["a"], "normalise": "width"}],
    "siglip": [{"space": "joint"}, {"image": "clip", "same_image": "mask"}],
    "st_loss": [{"loss": "MultipleNegativesRankingLoss"}, {"loss": "CosineSimilarityLoss", "teacher": "a"}],
    "image_text": [{"image": "clip"}, {"pixels": P, "channels": [4, 8], "same_image": "mask"}],
}
# Options whose meaning is their name and the formula above it.
PLAIN = {"dim", "teacher", "image", "temperature", "margin", "dropout", "rows", "heads"}
CASES = [(name, options) for name, several in OPTIONS.items() for options in several]
cases = pytest.mark.parametrize(("name", "options"), CASES, ids=[name for name, _ in CASES])


def made(name: str, options: dict[str, Any], device: str = "cpu") -> Callable[[LossInputs], Any]:
    """Built as the harness builds it: through the catalogue, options validated."""
    torch.manual_seed(0)
    loss: Any = load(frozenset({"loss"})).catalogue.build("loss", Part(name, options), dims=DIMS)
    for value in vars(loss).values():
        if isinstance(value, torch.nn.Module):
            value.to(device)
    return loss


def batch(device: str = "cpu") -> LossInputs:
    generator = torch.Generator().manual_seed(5)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator).to(device)

    ids = torch.randint(4, V, (N, L), generator=generator).to(device)
    tokens = TokenBatch(ids, torch.ones_like(ids))
    mask = torch.ones(N, L, dtype=torch.long, device=device)
    teachers = {
        "a": TeacherRows(text_NT=draw(N, D), states_NLT=draw(N, L, D), states_mask_NL=mask),
        "clip": TeacherRows(image_NE=draw(N, E)),
    }
    spaces = {"joint": JointSpace(draw(N, 2, 4).requires_grad_(), draw(N, 4))}
    pixels = torch.randint(256, (N, 3, P, P), dtype=torch.uint8, generator=generator).to(device)
    views = [draw(N, D).requires_grad_(), draw(N, D).requires_grad_()]
    return loss_inputs(views, teachers, images=[0, 0, 1, 2, 3, 4], tokens=tokens, pixels=pixels, spaces=spaces)


def test_every_loss_is_held_to_the_contract() -> None:
    assert load(frozenset({"loss"})).catalogue.names("loss") == sorted(OPTIONS)


@cases
def test_scalar_with_graph_and_detached_terms(name: str, options: dict[str, Any]) -> None:
    output = made(name, options)(batch())
    assert output.loss.shape == ()
    assert output.loss.requires_grad
    assert bool(output.loss.isfinite())
    assert all(term.shape == () and not term.requires_grad for term in output.terms.values())


@cases
def test_no_number_leaves_the_device(name: str, options: dict[str, Any]) -> None:
    """On the meta device there are no numbers: a read of one (.item(), if tensor, a boolean index) would raise."""
    output = made(name, options, "meta")(batch("meta"))
    assert output.loss.device.type == "meta"
    assert output.loss.shape == ()


@cases
def test_bf16_autocast_gives_single_precision(name: str, options: dict[str, Any]) -> None:
    """Logits and logarithms stay in float32; the value stays near the one without autocast."""
    loss = made(name, options)
    plain = loss(batch()).loss
    inputs = batch()
    with torch.autocast("cpu", torch.bfloat16):
        output = loss(inputs)
    assert output.loss.dtype == torch.float32
    assert output.loss.item() == pytest.approx(plain.item(), rel=0.05, abs=0.05)
    output.loss.backward()


@cases
def test_random_choices_come_from_the_steps_generator(name: str, options: dict[str, Any]) -> None:
    loss, first, second = made(name, options), batch(), batch()
    before = torch.get_rng_state()
    values = [loss(inputs).loss for inputs in (first, second)]
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(values[0], values[1])


@cases
def test_source_and_formula_are_in_the_docstring(name: str, options: dict[str, Any]) -> None:
    found = load(frozenset({"loss"})).catalogue.get("loss", name)
    text = found.factory.__doc__ or ""
    assert "@" in text
    assert "(" in text
    assert all(option in text for option in found.schema.model_fields if option not in PLAIN), name
