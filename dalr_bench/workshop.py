"""What a process keeps between runs, and how a resolved config becomes objects: corpora, student, objective, stores."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from pydantic import ValidationError

from dalr_bench.config import TrainOptions
from dalr_bench.data.building import Progress
from dalr_bench.data.opening import Opening
from dalr_bench.data.pixels import pixel_store
from dalr_bench.data.schedule import Schedule
from dalr_bench.data.teachers import TeacherBank
from dalr_bench.data.tokens import TokenStore, token_store, tokens_on
from dalr_bench.data.windows import Window, Windows, first_rows, passing
from dalr_bench.errors import DataError, Fault, SuiteError
from dalr_bench.plugin.manager import Plugins
from dalr_bench.plugin.registry import references
from dalr_bench.protocols import OpenRun, ShardedSource
from dalr_bench.streamed import Shards
from dalr_bench.streaming import Streaming
from dalr_bench.teaching import Config, Teaching, part
from dalr_bench.train.distributed import Group
from dalr_bench.train.engine import InWindows, Stream
from dalr_bench.train.objective import Objective, Term
from dalr_bench.train.seed import seed_torch
from dalr_bench.train.stages import Stages
from dalr_bench.types import Corpus, Dims

_HEAD = 4  # rows by which a stream in windows is known before it is trained on: are there pictures, how wide are teachers' rows


@dataclass
class Workshop:
    """Caches of one process. Frozen things are kept (corpora, stores); students are built anew for every run."""

    plugins: Plugins
    device: torch.device
    data: str | None = None
    group: Group = field(default_factory=Group)
    _corpora: dict[str, Corpus] = field(default_factory=dict)
    _shards: dict[str, Shards] = field(default_factory=dict)
    _pixels: dict[tuple[str, int], torch.Tensor] = field(default_factory=dict)
    stages: Stages = field(init=False)
    teaching: Teaching = field(init=False)

    def __post_init__(self) -> None:
        self.stages = Stages(self.device)
        self.teaching = Teaching(self.plugins, self.device, self.data, self.stages)

    # -------------------------------------------------------------- data
    def corpora(self, config: Config) -> dict[str, Corpus]:
        """Each stream's corpus, read once per process; of one in windows its first few rows."""
        out = {}
        for label, entry in config["streams"].items():
            key = _key(entry)
            if key not in self._corpora:
                source = self.plugins.catalogue.build("source", part(entry), data=self.data)
                shards = source.shards() if isinstance(source, ShardedSource) else None
                self._corpora[key] = source.load() if shards is None else first_rows(shards, _HEAD)
                if shards is not None:
                    self._shards[key] = shards
            out[label] = self._corpora[key]
            if not len(out[label].sentences):
                raise DataError(f"stream '{label}' ({entry['name']}): the corpus holds no sentence")
        return out

    def shards(self, config: Config) -> dict[str, Shards]:
        """The streams of a config that are read in windows; their `corpora` were opened before."""
        entries = config["streams"].items()
        return {label: self._shards[_key(entry)] for label, entry in entries if _key(entry) in self._shards}

    def schedule(self, built: Built, options: TrainOptions, seed: int) -> Schedule:
        """Which rows of these streams make which step."""
        sizes = {label: len(corpus.sentences) for label, corpus in built.corpora.items()}
        sizes |= {label: min(found.window, found.rows() or found.window) for label, found in built.windows.items()}
        return Schedule(sizes, options, seed, built.windows)

    def streams(self, built: Built) -> dict[str, Stream | InWindows]:
        """Every stream's tokens, teacher rows and pictures, on the device; a stream in windows opens them one by one."""
        return {
            label: self._in_windows(built, label)
            if label in built.windows
            else self._stream(built, corpus, built.banks[label], _tokens(built.student.tokenizer, corpus))
            for label, corpus in built.corpora.items()
        }

    def _in_windows(self, built: Built, label: str) -> Streaming:
        def opened(window: Window) -> Stream:
            return self._stream(built, window.corpus, built.ask(label, window.corpus), window.tokens)

        return Streaming(built.windows[label], opened)

    def _stream(self, built: Built, corpus: Corpus, bank: TeacherBank, stores: Sequence[TokenStore]) -> Stream:
        image_of = None
        if corpus.image_of is not None:
            image_of = torch.as_tensor(corpus.image_of, dtype=torch.long, device=self.device)
        tokens, *columns = (tokens_on(store, self.device) for store in stores)
        return Stream(tokens, bank, image_of, self._pictures(corpus, built.objective.needs_pixels), columns)

    def _pictures(self, corpus: Corpus, edge: int) -> torch.Tensor | None:
        if not edge or corpus.images is None:
            return None
        if corpus.stores is not None:
            return pixel_store(corpus, edge).to(self.device)
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

        def ask(label: str, corpus: Corpus) -> TeacherBank:
            return self.teaching.bank(config, label, corpus, trained, progress)

        with passing(corpora.values()):  # of a stream in windows it is only asked how wide rows are
            banks = {label: ask(label, corpus) for label, corpus in corpora.items()}
            dims = _dims(student, banks, corpora)
            banks = {label: bank for label, bank in banks.items() if corpora[label].stores is None}
        windows = {
            label: self._windows(config, label, shards, student) for label, shards in self.shards(config).items()
        }
        return Built(corpora, student, self.objective(config, dims), banks, dims, windows, ask)

    def _windows(self, config: Config, label: str, shards: Shards, student: Any) -> Windows:
        # The thread that prepares windows has a tokenizer of its own: most may not be called by two at once.
        tokenizer = copy.deepcopy(student.tokenizer)
        return Windows(shards, config["seed"], label, lambda corpus: _tokens(tokenizer, corpus))

    def student(self, config: Config, corpora: Mapping[str, Corpus], whole: bool = False) -> Any:
        """The backbone of a config, seeded, on the device. Where processes share its weights each has its part, unless `whole`."""
        if self.group.shard is None or whole:
            return self._backbone(config, corpora, self.device)
        from dalr_bench.train.sharding import shard

        student = self._backbone(config, corpora, torch.device("cpu"))
        shard(student, self.group, self.device)
        return student

    def copied(self, config: Config, built: Built) -> Any:
        """A copy of a run's student, whole and on the host."""
        student = self._backbone(config, built.corpora, torch.device("cpu"))
        student.load_state_dict(built.student.state_dict())
        return student

    def _backbone(self, config: Config, corpora: Mapping[str, Corpus], device: torch.device) -> Any:
        seed_torch(config["seed"], "student")
        vocabulary = list(dict.fromkeys(word for corpus in corpora.values() for word in corpus.vocabulary))
        shards = self.shards(config)
        sentences = _Chained([rows for label in corpora for rows in _texts(corpora[label], shards.get(label))])
        given = {"vocabulary": vocabulary, "sentences": sentences, "device": device}
        return self.plugins.catalogue.build("backbone", part(config["backbone"]), **given).to(device)

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
    """A run's objects. `dims` is kept with the weights, so that the run opens again without its teachers.

    Of a stream in windows `corpora` holds the first few rows; `ask` gives the bank of one of its windows.
    """

    corpora: Mapping[str, Corpus]
    student: Any
    objective: Objective
    banks: Mapping[str, TeacherBank]
    dims: Dims
    windows: Mapping[str, Windows] = field(default_factory=dict)
    ask: Callable[[str, Corpus], TeacherBank] = field(default=lambda label, corpus: TeacherBank({}, {}))


def train_options(config: Config) -> TrainOptions:
    """The `train` section, typed again. Raises SuiteError where settings of this attempt do not go with the others."""
    try:
        return TrainOptions.model_validate(config["train"])
    except ValidationError as error:
        raise SuiteError([_fault(item["msg"], item["loc"]) for item in error.errors()]) from error


def _fault(told: str, place: Sequence[int | str]) -> Fault:
    return Fault(told.removeprefix("Value error, "), path=".".join(("train", *map(str, place))))


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


def _key(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry, sort_keys=True)


def _tokens(tokenizer: Any, corpus: Corpus) -> list[TokenStore]:
    """Of the sentences, then of each column."""
    return [token_store(tokenizer, corpus, name) for name in (None, *corpus.columns)]


def _texts(corpus: Corpus, shards: Shards | None) -> list[Sequence[str]]:
    """All sentences a vocabulary may be learned from; of a stream in windows those of the first one, read if asked for."""
    if shards is None:
        return [corpus.sentences, *corpus.columns.values()]
    return [Opening(shards), *(Opening(shards, name) for name in corpus.columns)]


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
