"""What a process keeps between runs, and how a resolved config becomes objects: corpora, student, objective, stores."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from dalr_bench.config import TrainOptions
from dalr_bench.data.building import Progress
from dalr_bench.data.features import Ask, FeatureStore, RowType, feature_store
from dalr_bench.data.pixels import pixel_store
from dalr_bench.data.teachers import TeacherBank, combining_order, resident
from dalr_bench.data.tokens import token_store, tokens_on
from dalr_bench.errors import DataError, SuiteError
from dalr_bench.plugin.manager import Plugins
from dalr_bench.plugin.registry import references
from dalr_bench.protocols import OpenRun, StoredTeacher
from dalr_bench.train.engine import Stream
from dalr_bench.train.objective import Objective, Term
from dalr_bench.train.seed import seed_torch
from dalr_bench.train.stages import Stages
from dalr_bench.types import Corpus, Dims, Part, Side

Config = Mapping[str, Any]


def part(entry: Mapping[str, Any]) -> Part:
    """A component entry of a resolved config."""
    return Part(entry["name"], entry["options"])


@dataclass
class Workshop:
    """Caches of one process. Frozen things are kept (corpora, stores); students are built anew for every run."""

    plugins: Plugins
    device: torch.device
    data: str | None = None
    _corpora: dict[str, Corpus] = field(default_factory=dict)
    _pixels: dict[tuple[str, int], torch.Tensor] = field(default_factory=dict)
    _stores: dict[tuple[str, str, Side], FeatureStore] = field(default_factory=dict)
    stages: Stages = field(init=False)

    def __post_init__(self) -> None:
        self.stages = Stages(self.device)

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
    def bank(
        self, config: Config, label: str, corpus: Corpus, trained: OpenRun, progress: Progress | None
    ) -> TeacherBank:
        """The teachers a stream's losses look at, with the sides they look at."""
        return self._bank(config, self._sides(config, label), corpus, _asking(config, trained, progress))

    def pictures(self, config: Config, name: str, corpus: Corpus, trained: OpenRun) -> torch.Tensor:
        """One image teacher's rows of all pictures of a corpus, [n, E]; stored like those of a stream."""
        sides: dict[str, set[Side]] = {}
        self._ask(config, name, "image", sides)
        every = torch.arange(len(corpus.images or ()), device=self.device)
        rows = self._bank(config, sides, corpus, _asking(config, trained, None)).gather(every, every)[name].image_NE
        if rows is None:
            raise SuiteError(f"teachers.{name}: has no image side")
        return rows

    def image_teacher(self, loss: Mapping[str, Any]) -> str | None:
        """The image teacher a loss of a config names; None where it names none."""
        found = self.plugins.catalogue.get("loss", loss["name"])
        named = (
            name
            for _, ref, name in references(found, loss["options"])
            if ref.section == "teachers" and ref.side == "image"
        )
        return next(named, None)

    def _bank(self, config: Config, sides: Mapping[str, set[Side]], corpus: Corpus, asking: _Asking) -> TeacherBank:
        parts = {name: self._parts_of(config["teachers"][name]) for name in sides}
        combined = {name: names for name, names in parts.items() if names}
        stored = {}
        for name in sides:
            if name not in combined:
                entry = config["teachers"][name]
                stored[name] = resident(
                    {side: self._store(entry, side, corpus, asking) for side in sorted(sides[name])},
                    self.device,
                )
        order = combining_order(combined)
        return TeacherBank(stored, {name: self._teacher(config["teachers"][name], asking.trained) for name in order})

    def _sides(self, config: Config, stream: str) -> dict[str, set[Side]]:
        """Which side of which teacher the losses active on a stream refer to; a blend hands its sides to its parts."""
        out: dict[str, set[Side]] = {}
        for loss in config["losses"].values():
            if loss["on"] is not None and stream not in loss["on"]:
                continue
            found = self.plugins.catalogue.get("loss", loss["name"])
            for _, ref, name in references(found, loss["options"]):
                if ref.section == "teachers":
                    self._ask(config, name, ref.side or "text", out)
        return out

    def _ask(self, config: Config, name: str, side: Side, sides: dict[str, set[Side]]) -> None:
        sides.setdefault(name, set()).add(side)
        for inner in self._parts_of(config["teachers"][name]):
            self._ask(config, inner, side, sides)

    def _parts_of(self, entry: Mapping[str, Any]) -> tuple[str, ...]:
        found = self.plugins.catalogue.get("teacher", entry["name"])
        return tuple(name for _, ref, name in references(found, entry["options"]) if ref.section == "teachers")

    def _teacher(self, entry: Mapping[str, Any], trained: OpenRun, device: torch.device | None = None) -> Any:
        where = device or self.device
        return self.plugins.catalogue.build("teacher", part(entry), device=where, trained=trained, data=self.data)

    def _store(self, entry: Mapping[str, Any], side: Side, corpus: Corpus, asking: _Asking) -> FeatureStore:
        trained = asking.trained
        who = json.dumps(
            {**entry, "runs": getattr(trained, "runs", None) if self._is_run(entry) else None}, sort_keys=True
        )
        key = (f"{who}|{asking.rows}", corpus.fingerprint, side)
        if key not in self._stores:
            teacher = self._teacher(entry, trained)
            whole = teacher.stored_rows if isinstance(teacher, StoredTeacher) else None
            encode: Any = getattr(teacher, f"encode_{side}", whole)
            if encode is None:
                raise SuiteError(f"teacher '{entry['name']}' has no {side} side (it gives no encode_{side})")
            more = [getattr(self._teacher(entry, trained, where), f"encode_{side}") for where in self._others(entry)]
            known_by = f"{entry['name']}|{self._known_by(entry, teacher, who)}"
            ask = Ask(side, known_by, encode, whole, asking.rows, more if whole is None else ())
            with self.stages.part("teachers"):
                self._stores[key] = feature_store(ask, corpus, asking.progress)
        return self._stores[key]

    def _known_by(self, entry: Mapping[str, Any], teacher: Any, who: str) -> str:
        """A teacher's own fingerprint; without one its options and the distribution whose code answers."""
        found = self.plugins.catalogue.get("teacher", entry["name"])
        own: str | None = getattr(teacher, "fingerprint", None)
        return own or f"{who}|{found.distribution} {found.version}"

    def _others(self, entry: Mapping[str, Any]) -> list[torch.device]:
        """Further devices a teacher is asked on: all this process sees, unless it shares the work with other processes."""
        if self.device.type != "cuda" or "WORLD_SIZE" in os.environ or self._is_run(entry):
            return []
        first = self.device.index or torch.cuda.current_device()
        return [torch.device("cuda", number) for number in range(torch.cuda.device_count()) if number != first]

    def _is_run(self, entry: Mapping[str, Any]) -> bool:
        found = self.plugins.catalogue.get("teacher", entry["name"])
        return any(ref.section == "variants" for _, ref, _ in references(found, entry["options"]))

    # -------------------------------------------------------------- student and objective
    def build(self, config: Config, trained: OpenRun, progress: Progress | None = None) -> Built:
        """Everything a run trains with. The student's first weights depend on the seed alone, each loss's parts on seed and label."""
        corpora = self.corpora(config)
        student = self.student(config, corpora)
        banks = {label: self.bank(config, label, corpus, trained, progress) for label, corpus in corpora.items()}
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
class _Asking:
    """For whom teachers are asked: the runs they may be, who is told how far it is, and how rows are kept."""

    trained: OpenRun
    progress: Progress | None
    rows: RowType


def _asking(config: Config, trained: OpenRun, progress: Progress | None) -> _Asking:
    return _Asking(trained, progress, config["train"].get("teacher_rows", "fp32"))


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
