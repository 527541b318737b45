"""An engine with a real two-layer encoder, two streams and every loss we ship: what must survive pieces and processes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from tiny_models import WORDS

from dalr_bench import Dims, Encoding
from dalr_bench.config import TrainOptions
from dalr_bench.data.schedule import Schedule
from dalr_bench.data.teachers import Resident, TeacherBank
from dalr_bench.data.tokens import DeviceTokens, TokenStore
from dalr_bench.plugin.manager import load
from dalr_bench.plugin.registry import Catalogue
from dalr_bench.train import gradcache
from dalr_bench.train.engine import Engine, Stream
from dalr_bench.train.objective import Objective, Term
from dalr_bench.train.seed import seed_torch
from dalr_bench.types import Part

ROWS, WIDTH, EDGE = 40, 16, 8
# For evaluation: of many lengths, so that batches differ.
SENTENCES = [" ".join(WORDS[(start + i) % len(WORDS)] for i in range(1 + start % 9)) for start in range(150)]
# Label → options; `joint` comes first because others look into its space.
LOSSES: dict[str, dict[str, Any]] = {
    "joint": {"name": "image_grounding", "image": "clip", "dim": 6, "margin": 0.15},
    "info": {"name": "infonce", "symmetric": True},
    "towers": {"name": "consistency", "image": "clip", "dim": 6},
    "cross": {"name": "cma", "teacher": "a", "image": "clip", "space": "joint"},
    "intra": {"name": "ima", "teacher": "a"},
    "order": {"name": "listmle", "teacher": "a", "ties": "random"},
    "list": {"name": "listnet", "teacher": "a"},
    "agree": {"name": "ranking_consistency"},
    "edits": {"name": "replaced_token", "heads": 2, "generator_heads": 2, "generator_width": 8, "dropout": 0.0},
    "local": {"name": "global_to_local", "teachers": ["a"]},
    "sigmoid": {"name": "siglip", "image": "clip", "dim": 6},
    "pictures": {"name": "image_text", "pixels": EDGE, "channels": [4, 8], "dim": 6},
}
# Learned only from the sentences of a triplet stream; see `triplets`.
ONLY_TEXT = ("info", "intra", "order", "list", "agree")


@cache
def catalogue() -> Catalogue:
    return load(frozenset({"loss", "backbone"})).catalogue


def objective(labels: Sequence[str], dims: Dims) -> Objective:
    """The named losses, each with another weight, their parts seeded by label."""
    terms = []
    for number, label in enumerate(labels, 1):
        options = {key: value for key, value in LOSSES[label].items() if key != "name"}
        seed_torch(0, "loss", label)
        loss = catalogue().build("loss", Part(LOSSES[label]["name"], options), dims=dims, device="cpu")
        terms.append(Term(label, loss, 1 / number, None, ("joint",) if label == "cross" else ()))
    return Objective(terms)


def engine(
    labels: Sequence[str],
    *,
    dropout: float = 0.0,
    triplets: bool = False,
    head: str = "mlp",
    single: bool = False,
    layers: int = 2,
    **options: Any,
) -> Engine:
    """Every call gives the same weights and the same data; in float64 unless `single`, so that equal means equal.

    Weights are spread out, as training leaves them: at their first scale all sentences look alike, and what divides by
    their differences (batch normalisation, sharp softmaxes) shows the order of additions and little else.
    """
    seed_torch(0, "student")
    shape = {"layers": layers, "hidden": WIDTH, "heads": 2, "feed_forward": 32, "hidden_dropout": dropout, "head": head}
    student = catalogue().build("backbone", Part("hf", shape), vocabulary=WORDS, sentences=[], device="cpu")
    with torch.no_grad():
        student.encoder.embeddings.word_embeddings.weight.mul_(20)
        for name, weight in student.named_parameters():
            if weight.ndim == 2 and "layer" in name:
                weight.mul_(5)
    kinds = student.tokenizer
    dims = Dims(
        WIDTH, {"a": WIDTH}, {"clip": 10}, kinds.size, kinds.pad_id, kinds.mask_id, frozenset(kinds.special_ids)
    )
    chosen = TrainOptions.model_validate({"steps": 4, "batch": 10, "lr": 0.01, "precision": "fp32", **options})
    plan = Schedule({"pairs": ROWS}, chosen, 0)
    parts = objective(labels, dims)
    streams = {"pairs": stream(student, triplets)}
    if not single:
        student.double(), parts.double()
        for resident in streams["pairs"].teachers.stored.values():
            for side in ("text", "image", "states"):
                rows = getattr(resident, side)
                setattr(resident, side, None if rows is None else rows.double())
    return Engine(student, parts, streams, plan, chosen, 0, torch.device("cpu"))


def stream(student: Any, triplets: bool = False) -> Stream:
    """Sentences of 1 to 9 words, 3 captions to a picture now and then, teachers' rows drawn once."""
    draw = np.random.default_rng(3)
    columns = [DeviceTokens(tokens(student, draw), torch.device("cpu")) for _ in range(3 if triplets else 1)]
    made = torch.Generator().manual_seed(5)
    offsets = torch.arange(0, 4 * ROWS + 1, 4)
    bank = TeacherBank(
        {
            "a": Resident(
                torch.randn(ROWS, WIDTH, generator=made),
                states=torch.randn(4 * ROWS, WIDTH, generator=made),
                offsets=offsets,
            ),
            "clip": Resident(image=torch.randn(ROWS, 10, generator=made)),
        },
        {},
    )
    image_of = torch.from_numpy(np.sort(draw.integers(0, ROWS, ROWS)))
    pixels = torch.randint(256, (ROWS, 3, EDGE, EDGE), dtype=torch.uint8, generator=made)
    return Stream(columns[0], bank, image_of, pixels, columns[1:])


def tokens(student: Any, draw: np.random.Generator) -> TokenStore:
    ids = student.tokenizer([" ".join(draw.choice(WORDS, draw.integers(1, 10))) for _ in range(ROWS)])
    flat = np.fromiter((number for row in ids for number in row), np.int32)
    return TokenStore(flat, np.concatenate([[0], np.cumsum([len(row) for row in ids])]), student.tokenizer.pad_id)


def gradients(made: Engine) -> dict[str, torch.Tensor | None]:
    """`.grad` of every parameter by name, copied."""
    named = {
        **{f"student.{name}": p for name, p in made.student.named_parameters()},
        **{f"objective.{name}": p for name, p in made.objective.named_parameters()},
    }
    return {name: None if p.grad is None else p.grad.clone() for name, p in named.items()}


def weights(made: Engine) -> dict[str, torch.Tensor]:
    """Every weight and buffer by name, copied."""
    return {
        **{f"student.{name}": value.clone() for name, value in made.student.state_dict().items()},
        **{f"objective.{name}": value.clone() for name, value in made.objective.state_dict().items()},
    }


def pieces_by_hand(made: Engine, step: int, size: int) -> float:
    """A step's loss: pieces encoded with a graph under the seeds of (seed, step, piece), joined, one backward through all."""
    made.student.train()
    parts = []
    for number, piece in enumerate(made.pieces(step, size)):
        seed_torch(0, "step", step, number)
        parts.append(made.encode(piece))
    batch = made.batch(step)
    loss, _ = made.losses(step, batch, gradcache.joined(parts, batch.tokens.ids_NL.shape[1]))
    loss.backward()
    return float(loss.detach())


def kept_bytes(made: Engine) -> int:
    """What autograd saves between the forward and the backward pass; the step's gradients stay in `.grad`."""
    sizes: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        sizes[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss, _ = made.forward(0)
    loss.backward()
    return sum(sizes.values())


def encodings_of(made: Engine) -> list[tuple[int, bool]]:
    """Fills as the student encodes from now on: how many rows, and whether with a graph."""
    seen: list[tuple[int, bool]] = []
    inner = made.student.encode

    def watched(tokens: Any, views: int, states: bool) -> Encoding:
        seen.append((len(tokens.ids_NL), torch.is_grad_enabled()))
        out: Encoding = inner(tokens, views=views, states=states)
        return out

    made.student.encode = watched
    return seen
