"""What a process keeps between runs, and how a resolved config becomes objects: corpora, student, objective, stores."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from dalr_bench.config import TrainOptions
from dalr_bench.data.building import Progress
from dalr_bench.data.pixels import pixel_store
from dalr_bench.data.teachers import TeacherBank
from dalr_bench.data.tokens import token_store, tokens_on
from dalr_bench.errors import DataError
from dalr_bench.plugin.manager import Plugins
from dalr_bench.plugin.registry import references
from dalr_bench.protocols import OpenRun
from dalr_bench.teaching import Config, Teaching, part
from dalr_bench.train.engine import Stream
from dalr_bench.train.objective import Objective, Term
from dalr_bench.train.seed import seed_torch
from dalr_bench.train.stages import Stages
from dalr_bench.types import Corpus, Dims


@dataclass
class Workshop:
    """Caches of one process. Frozen things are kept (corpora, stores); students are built anew for every run."""

    plugins: Plugins
    device: torch.device
    data: str | None = None
    _corpora: dict[str, Corpus] = field(default_factory=dict)
    _pixels: dict[tuple[str, int], torch.Tensor] = field(default_factory=dict)
    stages: Stages = field(init=False)
    teaching: Teaching = field(init=False)

    def __post_init__(self) -> None:
        self.stages = Stages(self.device)
        self.teaching = Teaching(self.plugins, self.device, self.data, self.stages)

    # -------------------------------------------------------------- data
    def corpora(self, config: Config) -> dict[str, Corpus]:
        """Each stream's corpus, read once per process."""
        out = {}
        for label, entry in config["streams"].items():
            key = json.dumps(entry, sort_keys=True)
            if key not in self._corpora:
                self._corpora[key] = self.plugins.catalogue.build("source", part(entry), data=self.data).load()
            out[label] = self._corpora[key]
            if not len(out[label].sentences):
                raise DataError(f"stream '{label}' ({entry['name']}): the corpus holds no sentence")
        return out

    def streams(self, built: Built) -> dict[str, Stream]:
        """Every stream's tokens, teacher rows and pictures, on the device."""
        edge = built.objective.needs_pixels
        out = {}
        for label, corpus in built.corpora.items():
            image_of = (
                None
                if corpus.image_of is None
                else torch.as_tensor(corpus.image_of, dtype=torch.long, device=self.device)
            )
            tokenizer = built.student.tokenizer
            tokens, *columns = (
                tokens_on(token_store(tokenizer, corpus, name), self.device) for name in (None, *corpus.columns)
            )
            out[label] = Stream(tokens, built.banks[label], image_of, self._pictures(corpus, edge), columns)
        return out

    def _pictures(self, corpus: Corpus, edge: int) -> torch.Tensor | None:
        if not edge or corpus.images is None:
            return None
        key = (corpus.fingerprint, edge)
        if key not in self._pixels:
            self._pixels[key] = pixel_store(corpus, edge).to(self.device)
        return self._pixels[key]

    # -------------------------------------------------------------- teachers
    def pictures(self, config: Config, name: str, corpus: Corpus, trained: OpenRun) -> torch.Tensor:
        """One image teacher's rows of all pictures of a corpus, [n, E]; stored like those of a stream."""
        return self.teaching.pictures(config, name, corpus, trained)

    def image_teacher(self, loss: Mapping[str, Any]) -> str | None:
        """The image teacher a loss of a config names; None where it names none."""
        return self.teaching.image_teacher(loss)

    # -------------------------------------------------------------- student and objective
    def build(self, config: Config, trained: OpenRun, progress: Progress | None = None) -> Built:
        """Everything a run trains with. The student's first weights depend on the seed alone, each loss's parts on seed and label."""
        corpora = self.corpora(config)
        student = self.student(config, corpora)
        banks = {label: self.teaching.bank(config, label, corpus, trained, progress) for label, corpus in corpora.items()}
        dims = _dims(student, banks, corpora)
        return Built(corpora, student, self.objective(config, dims), banks, dims)

    def student(self, config: Config, corpora: Mapping[str, Corpus]) -> Any:
        """The backbone of a config, seeded, on the device."""
        seed_torch(config["seed"], "student")
        vocabulary = list(dict.fromkeys(word for corpus in corpora.values() for word in corpus.vocabulary))
        sentences = _Chained(
            [rows for corpus in corpora.values() for rows in (corpus.sentences, *corpus.columns.values())]
        )
        given = {"vocabulary": vocabulary, "sentences": sentences, "device": self.device}
        return self.plugins.catalogue.build("backbone", part(config["backbone"]), **given).to(self.device)

    def objective(self, config: Config, dims: Dims) -> Objective:
        """The losses of a config, each with parts of its own."""
        terms = []
        for label, entry in config["losses"].items():
            seed_torch(config["seed"], "loss", label)
            loss = self.plugins.catalogue.build("loss", part(entry), dims=dims, device=self.device)
            refs = references(self.plugins.catalogue.get("loss", entry["name"]), entry["options"])
            uses = tuple(name for _, ref, name in refs if ref.section == "losses")
            terms.append(Term(label, loss, entry["weight"], None if entry["on"] is None else tuple(entry["on"]), uses))
        return Objective(terms).to(self.device)

    def evaluator(self, entry: Mapping[str, Any]) -> Any:
        """An evaluator of a config."""
        return self.plugins.catalogue.build("evaluator", part(entry), data=self.data, device=self.device)


@dataclass(frozen=True)
class Built:
    """A run's objects. `dims` is kept with the weights, so that the run opens again without its teachers."""

    corpora: Mapping[str, Corpus]
    student: Any
    objective: Objective
    banks: Mapping[str, TeacherBank]
    dims: Dims


def train_options(config: Config) -> TrainOptions:
    """The `train` section, typed again."""
    return TrainOptions.model_validate(config["train"])


def dims_to_json(dims: Dims) -> dict[str, Any]:
    """Plain JSON of the widths."""
    return {**asdict(dims), "special_ids": sorted(dims.special_ids)}


def dims_from_json(data: Mapping[str, Any]) -> Dims:
    """The inverse of `dims_to_json`."""
    return Dims(**{**data, "special_ids": frozenset(data["special_ids"])})


def _dims(student: Any, banks: Mapping[str, TeacherBank], corpora: Mapping[str, Corpus]) -> Dims:
    text: dict[str, int] = {}
    image: dict[str, int] = {}
    for label, bank in banks.items():
        some = torch.zeros(2, dtype=torch.long, device=next(iter(student.parameters()), torch.empty(0)).device)
        for name, rows in bank.gather(some, some if corpora[label].image_of is not None else None).items():
            side = rows.text_NT if rows.text_NT is not None else rows.states_NLT
            text |= {} if side is None else {name: side.shape[-1]}
            image |= {} if rows.image_NE is None else {name: rows.image_NE.shape[-1]}
    tokenizer = student.tokenizer
    return Dims(
        student.dim, text, image, tokenizer.size, tokenizer.pad_id, tokenizer.mask_id, frozenset(tokenizer.special_ids)
    )


class _Chained(Sequence[str]):
    """Several lists of sentences as one, without copying them."""

    def __init__(self, parts: Sequence[Sequence[str]]) -> None:
        self._parts = parts

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        for inner in self._parts:
            if index < len(inner):
                return inner[index]
            index -= len(inner)
        raise IndexError(index)
