"""What a component is: protocols, no base class needed. Tensor names follow the legend of `types`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image
    from torch import Tensor

    from dalr_bench.streamed import Shards
    from dalr_bench.types import (
        Corpus,
        Encoding,
        Evaluation,
        JointSpace,
        LossInputs,
        LossOutput,
        Side,
        Task,
        TeacherRows,
        TokenBatch,
        Trouble,
    )


Compiling = Literal["none", "default", "graphs"]


class Source(Protocol):
    """Sentences, with or without pictures. Raises DataError (file:line) where a file is missing or malformed."""

    def load(self) -> Corpus: ...


@runtime_checkable
class ShardedSource(Protocol):
    """A source that can be read shard by shard. `shards()` is None where it was not asked to be: then `load` is called."""

    def shards(self) -> Shards | None: ...


class Tokenizer(Protocol):
    """Sentences to ids, special tokens included, cut at the component's own maximum length."""

    pad_id: int
    mask_id: int | None
    special_ids: frozenset[int]
    size: int

    def __call__(self, sentences: Sequence[str]) -> list[list[int]]: ...

    @property
    def fingerprint(self) -> str: ...


class Backbone(Protocol):
    """The student. An `nn.Module` whose forward gives both views at once; `embed` is what evaluation sees."""

    dim: int
    tokenizer: Tokenizer

    def encode(self, tokens: TokenBatch, views: int, states: bool) -> Encoding: ...
    def embed(self, tokens: TokenBatch) -> Tensor: ...
    def protocol(self) -> Mapping[str, Any]: ...
    def save(self, folder: str) -> None: ...


@runtime_checkable
class PackingBackbone(Protocol):
    """A backbone that can take sentences of several lengths at once without padding, where `packs` is true.

    `embed_packed` gives the rows `embed` gives in eval mode, [N, D], of sentences packed one after another in `ids_T`;
    their lengths, each at least 1, never fall.
    """

    @property
    def packs(self) -> bool: ...
    def embed_packed(self, ids_T: Tensor, lengths_N: Sequence[int]) -> Tensor: ...


@runtime_checkable
class RecomputingBackbone(Protocol):
    """A backbone that can compute its layers again in the backward pass instead of keeping them, with the same random draws."""

    def recompute(self, on: bool) -> None: ...


@runtime_checkable
class CompilingBackbone(Protocol):
    """A backbone that can train by code compiled for a few shapes (`train.compile`), from one call to the next with `none`.

    Rows are those of its plain forward up to rounding; dropout stays a function of torch's generator. SuiteError where it cannot.
    """

    def compile_encode(self, mode: Compiling) -> None: ...


class Teacher(Protocol):
    """Frozen: asked once per sentence for the whole grid, rows in order. `encode_image` where it sees pictures,
    `encode_states(sentences) -> list[Tensor [L, T]]` where it can give token states.

    `fingerprint` (optional attribute, str) hashes all that decides the rows: weights, tokenizer, pooling, length. Stores go
    by it alone; without it they go by the part's name, options and version.
    """

    def encode_text(self, sentences: list[str]) -> Tensor: ...


@runtime_checkable
class ImageTeacher(Protocol):
    """A teacher with a picture side: PIL images in, rows [N, E] in the same order out."""

    def encode_image(self, images: list[Image.Image]) -> Tensor: ...


@runtime_checkable
class StoredTeacher(Protocol):
    """A teacher whose rows exist already: asked once with the whole corpus, which may have no pictures, only their rows.

    Gives one row a sentence (text) or a picture (image: as many as `image_of` counts), in order; raises DataError else.
    """

    def stored_rows(self, corpus: Corpus, side: Side) -> Tensor: ...


@runtime_checkable
class CombiningTeacher(Protocol):
    """A teacher made of others' stored rows (a blend): nothing of its own is stored. `of` names the parts."""

    of: Sequence[str]

    def combine(self, parts: Sequence[TeacherRows]) -> TeacherRows: ...


class Loss(Protocol):
    """A term of the objective. Trainable parts are its `nn.Module` attributes; everything it reads comes in `inputs`.

    Optional class or instance attributes: `needs_tokens` (asks for `states_NVLD`), `needs_pixels: int` (asks for square
    pictures of that edge), `views: int` (1 or 2; 2 without it). A loss with `space(inputs) -> JointSpace` offers it to others
    under its name in the suite.
    """

    def __call__(self, inputs: LossInputs) -> LossOutput: ...


@runtime_checkable
class SpaceProvider(Protocol):
    """A loss that owns a joint text-image space, and can project single rows into it after training."""

    def space(self, inputs: LossInputs) -> JointSpace: ...
    def project_text(self, pooled_ND: Tensor) -> Tensor: ...
    def project_image(self, rows_NE: Tensor) -> Tensor: ...


class TrainedRun(Protocol):
    """Another run of the grid, finished and frozen: what a teacher that is a run is made of. `space` names one of its losses.

    `fingerprint` hashes its weights and how rows are read from them: what a store of its rows must go by.
    """

    @property
    def fingerprint(self) -> str: ...
    def encode_text(self, sentences: Sequence[str], space: str | None = None) -> Tensor: ...
    def encode_image(self, images: Sequence[Image.Image], space: str) -> Tensor: ...
    def encode_states(self, sentences: Sequence[str]) -> list[Tensor]: ...


class OpenRun(Protocol):
    """Injected as `trained`: opens the run of that variant (and seed; None: the seed of the asking run)."""

    def __call__(self, variant: str, seed: int | None) -> TrainedRun: ...


class OpenSpace(Protocol):
    """A joint space of a trained run, to be looked at: sentences [n, E] and a corpus's pictures [m, E], float32, in order.

    Whatever the space projects (pictures, or an image teacher's rows of them) is found by the harness.
    """

    def text(self, sentences: Sequence[str]) -> np.ndarray[Any, Any]: ...
    def image(self, corpus: Corpus) -> np.ndarray[Any, Any]: ...


class Subject(Protocol):
    """What is scored: sentences in, rows out ([n, D] float32 array), each distinct sentence encoded once per run.

    `spaces` are the joint spaces the run's losses own, by label. A teacher's rows are not visible here, but for the
    pictures of a corpus where an evaluator names an image teacher: see `PictureSubject`.
    `fingerprint` hashes the weights and how rows are read from them: what a cache of results must go by.
    """

    spaces: Mapping[str, OpenSpace]
    protocol: Mapping[str, Any]

    @property
    def fingerprint(self) -> str: ...

    def encode(self, sentences: Sequence[str]) -> np.ndarray[Any, Any]: ...


@runtime_checkable
class PictureSubject(Protocol):
    """A subject that comes with its run's teachers: `pictures` gives an image teacher's rows of a corpus, [m, E] float32."""

    def pictures(self, teacher: str, corpus: Corpus) -> np.ndarray[Any, Any]: ...


class Evaluator(Protocol):
    """Scores a subject. `sentences` declares what will be encoded, so that the union over evaluators is encoded once."""

    def sentences(self) -> Iterable[str]: ...
    def evaluate(self, subject: Subject) -> Evaluation: ...


@runtime_checkable
class ByTask(Protocol):
    """What an evaluator of several tasks may offer, so that an interrupted scoring goes on at the next task.

    `by_task`: one evaluator for each task, by its name, in order. `joined`: their results, in that order, as the whole
    evaluator would have given them; averages are made here. Predictions of tasks scored earlier may be left out of it.
    """

    def by_task(self) -> Mapping[str, Evaluator]: ...
    def joined(self, results: Sequence[Evaluation]) -> Evaluation: ...


class Queue(Protocol):
    """The tasks of a grid in an order that respects their needs.

    `take` gives one that may start now and, where `fits` is given, that fits (None: wait, or all taken). `end` is told how
    a task ended; one that is worth another try (`trouble`) is given out again, so executors keep no count of their own.
    """

    def __len__(self) -> int: ...
    def take(self, fits: Callable[[Task], bool] | None = None) -> Task | None: ...
    def done(self) -> bool: ...
    def end(self, run_id: str, status: str, error: str | None = None, trouble: Trouble | None = None) -> None: ...


Report = Callable[[Mapping[str, Any]], None]


class Executor(Protocol):
    """Runs the tasks of a queue until it is done, telling `report` every event. Never pickles anything of ours: a task is
    a folder's name, its record is a file in it.

    Injected on request: `jobs` (how many at once; None: its own choice), `device` (auto, cpu, cuda), and
    `perform(task, report) -> Ending`, which runs a task in this process. Other options are given on the command line:
    `--executor NAME:KEY=VALUE,...`.
    """

    def execute(self, queue: Queue, report: Report) -> None: ...
