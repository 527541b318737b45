"""A finished run, opened again: the student and its joint spaces, frozen. What a teacher that is a run is made of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from dalr_bench.data.pixels import pixel_store, to_pixels
from dalr_bench.errors import DataError, SuiteError, nearest
from dalr_bench.evaluate.untouched import eval_mode, forked_rng
from dalr_bench.protocols import SpaceProvider
from dalr_bench.record.store import read_config
from dalr_bench.train import weights
from dalr_bench.train.objective import Objective
from dalr_bench.types import Corpus, TokenBatch
from dalr_bench.workshop import Built, Workshop, dims_from_json

Rows = np.ndarray[Any, Any]
_BATCH = 256
DIMS = "dims.json"


@dataclass(frozen=True)
class FrozenRun:
    """Implements `protocols.TrainedRun`. Rows come back on the CPU, in order, float32."""

    student: Any
    objective: Objective
    device: torch.device
    fingerprint: str

    def encode_text(self, sentences: Sequence[str], space: str | None = None) -> torch.Tensor:
        """[n, D] test-time rows, or [n, E] rows of a joint space."""
        if space is None:
            return self._by_length(sentences, self.student.embed)
        provider = self._space(space)
        return self._by_length(
            sentences,
            lambda tokens: provider.project_text(self.student.encode(tokens, views=1, states=False).pooled_NVD[:, 0]),
        )

    def encode_image(self, images: Sequence[Image.Image], space: str) -> torch.Tensor:
        """[n, E] rows of a joint space whose loss looks at pictures itself. Raises DataError for a space made on a teacher's rows."""
        provider = self._space(space)
        edge = int(getattr(provider, "needs_pixels", 0) or 0)
        if not edge:
            raise DataError(
                f"space '{space}' projects a teacher's image rows, not pictures: it has no image side of its own"
            )
        rows = []
        for start in range(0, len(images), _BATCH):
            pixels = torch.from_numpy(to_pixels(images[start : start + _BATCH], edge)).to(self.device)
            rows.append(provider.project_image(pixels).float().cpu())
        return torch.cat(rows)

    def encode_states(self, sentences: Sequence[str]) -> list[torch.Tensor]:
        """Token states of the last layer, one [L, D] a sentence, special tokens included."""
        ids = self.student.tokenizer(sentences)
        order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
        out: list[torch.Tensor] = [torch.empty(0)] * len(ids)
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            states_NVLD = self.student.encode(self._pad([ids[row] for row in rows]), views=1, states=True).states_NVLD
            for row, states_LD in zip(rows, states_NVLD[:, 0].float().cpu(), strict=True):
                out[row] = states_LD[: len(ids[row])].clone()
        return out

    def _space(self, name: str) -> SpaceProvider:
        known = self.objective.spaces
        if name not in known:
            raise SuiteError(f"that run has no space '{name}'. {nearest(name, known)}")
        return known[name]

    def _by_length(self, sentences: Sequence[str], encode: Callable[[TokenBatch], torch.Tensor]) -> torch.Tensor:
        ids = self.student.tokenizer(sentences)
        order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
        out: list[torch.Tensor] = [torch.empty(0)] * len(ids)
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            for row, value in zip(rows, encode(self._pad([ids[row] for row in rows])).float().cpu(), strict=True):
                out[row] = value
        return torch.stack(out)

    def _pad(self, ids: Sequence[Sequence[int]]) -> TokenBatch:
        width = max(map(len, ids))
        pad = self.student.tokenizer.pad_id
        ids_NL = torch.tensor([[*row, *[pad] * (width - len(row))] for row in ids], device=self.device)
        mask_NL = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in ids], device=self.device)
        return TokenBatch(ids_NL, mask_NL)


@dataclass(frozen=True)
class RunSpace:
    """Implements `protocols.OpenSpace` for a run that is there: looked at in eval mode, in full precision, and left as it was.

    `rows` gives an image teacher's rows of a corpus, for a space that projects those and not pictures.
    """

    run: FrozenRun
    name: str
    rows: Callable[[Corpus], torch.Tensor]

    def text(self, sentences: Sequence[str]) -> Rows:
        """[n, E] rows of sentences."""
        with self._looking():
            return self.run.encode_text(sentences, self.name).numpy()

    def image(self, corpus: Corpus) -> Rows:
        """[m, E] rows of the corpus's pictures."""
        provider = self.run.objective.spaces[self.name]
        edge = int(getattr(provider, "needs_pixels", 0) or 0)
        with forked_rng():  # a teacher that is opened for it is built by a seed of its own
            given = pixel_store(corpus, edge) if edge else self.rows(corpus)
        with self._looking():
            parts = [
                provider.project_image(part.to(self.run.device)).float().cpu() for part in torch.split(given, _BATCH)
            ]
        return torch.cat(parts).numpy()

    @contextmanager
    def _looking(self) -> Iterator[None]:
        with forked_rng(), eval_mode(self.run.student), eval_mode(self.run.objective), torch.inference_mode():
            yield


def open_run(folder: Path, workshop: Workshop) -> FrozenRun:
    """A finished run, frozen. Raises DataError where it is not finished."""
    built = open_built(folder, workshop, whole=True)
    for module in (built.student, built.objective):
        module.eval().requires_grad_(False)
    return FrozenRun(built.student, built.objective, workshop.device, _known_by(folder, built))


def _known_by(folder: Path, built: Built) -> str:
    """sha256 of the weights and of how rows are read from them: equal weights may be pooled, cut or scaled in two ways."""
    config = read_config(folder)
    read = {"backbone": config["backbone"], "losses": config["losses"], "tokens": built.student.tokenizer.fingerprint}
    return hashlib.sha256(json.dumps([weights.digest(folder), read], sort_keys=True).encode()).hexdigest()


def open_built(folder: Path, workshop: Workshop, whole: bool = False) -> Built:
    """A trained run's student and losses with their weights, without its teachers. Raises DataError where they are not there."""
    built = unloaded(folder, workshop, whole)
    weights.load(folder, built.student, built.objective)
    return built


def unloaded(folder: Path, workshop: Workshop, whole: bool = False) -> Built:
    """`open_built` before it reads the weights; `whole`: by this process alone, whoever shares its runs."""
    try:
        config = json.loads((folder / "config.json").read_text())
        dims = dims_from_json(json.loads((folder / DIMS).read_text()))
    except (OSError, ValueError) as error:
        raise DataError(f"{folder.name}: this run cannot be opened, it is not finished: {error}") from error
    corpora = workshop.corpora(config)
    student = workshop.student(config, corpora, whole)
    objective = workshop.objective(_trained_losses(config), dims)
    return Built(corpora, student, objective, {}, dims)


def _trained_losses(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """A run of no steps trained no loss: it has none to open."""
    return {**config, "losses": {}} if config["train"]["steps"] == 0 else config


@dataclass(frozen=True)
class Opener:
    """Implements `protocols.OpenRun` for one run: its needed runs by (variant, seed)."""

    results: Path
    workshop: Workshop
    needs: Sequence[Mapping[str, Any]]
    seed: int

    @property
    def runs(self) -> list[str]:
        """Ids of the needed runs: part of what a teacher that is a run is known by."""
        return sorted(str(need["run_id"]) for need in self.needs)

    def __call__(self, variant: str, seed: int | None) -> FrozenRun:
        wanted = self.seed if seed is None else seed
        for need in self.needs:
            if need["variant"] == variant and need["seed"] == wanted:
                return open_run(self.results / str(need["run_id"]), self.workshop)
        raise DataError(f"this run does not know of a run '{variant}' with seed {wanted}")
