"""The nouns of the house. Data flows one way: Suite → Run → stores → Batch → Encoding → LossOutput → Score → Record.

Tensor names end in their shape. One legend for the whole project: N sentences of a batch · V views (dropout passes) ·
L tokens · D student width · T teacher width · E joint or image width · M length of a ranked list · P pixels. `sim_NN`
is a similarity matrix, `pooled_NVD` one row per sentence and view.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy as np
    import torch
    from PIL import Image
    from torch import Tensor

Side = Literal["text", "image", "states"]
KINDS = ("backbone", "source", "teacher", "loss", "evaluator", "executor", "tracker", "template", "command")
Kind = Literal["backbone", "source", "teacher", "loss", "evaluator", "executor", "tracker", "template", "command"]


# ------------------------------------------------------------------ option types a component's signature may use
@dataclass(frozen=True, slots=True)
class Ref:
    """Marks an option that names another entry of the same suite; `plan` checks the name and prepares what it needs."""

    section: Literal["teachers", "losses", "streams", "variants"]
    side: Side | None = None


@dataclass(frozen=True, slots=True)
class DataFile:
    """Marks an option that is a path to data. Its content, not its name, decides a run's identity."""


@dataclass(frozen=True, slots=True)
class Was:
    """An old name of an option (in its `Annotated`) or of a component (in `register(..., was=[...])`), and the minor
    version of the plugin's own distribution that renamed it. It works, with a warning, until the next minor version.
    """

    name: str
    since: str


TeacherText = Annotated[str, Ref("teachers", "text")]
TeacherImage = Annotated[str, Ref("teachers", "image")]
TeacherStates = Annotated[str, Ref("teachers", "states")]
TeacherName = Annotated[str, Ref("teachers")]
SpaceName = Annotated[str, Ref("losses")]
VariantName = Annotated[str, Ref("variants")]
DataPath = Annotated[str, DataFile()]


# ------------------------------------------------------------------ what a suite asks for
@dataclass(frozen=True, slots=True)
class Part:
    """A registered component and the options it is built with (defaults filled in)."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


# Files of a hub model that are read: weights without pickles, configurations, tokenizers.
MODEL_FILES = ("*.safetensors", "*.json", "*.txt", "*.model")


@dataclass(frozen=True, slots=True)
class Requirement:
    """Something from outside that a component reads, as its static method `requires(options)` lists it for `prefetch`.

    `name`: of a model the hub id, folder, file or `package:NAME`; of data and features a path. `how` tells a person how
    to come by it where it cannot be fetched. `patterns` are the files wanted of a hub model, at `revision`. Options that
    are a `DataPath` need no word: they are listed anyhow, with `how` where a requirement of that name gives it.
    """

    kind: Literal["model", "data", "features"]
    name: str
    how: str = ""
    patterns: tuple[str, ...] = MODEL_FILES
    revision: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One cell of the grid: everything that decides its numbers. `id` is a readable name plus the hash of `config`."""

    id: str
    suite: str
    variant: str
    axes: Mapping[str, str]
    seed: int
    config: Mapping[str, Any]
    needs: tuple[str, ...] = ()


# ------------------------------------------------------------------ data
class Images(Protocol):
    """A sequence of pictures, decoded when asked for."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Image.Image: ...


@dataclass(frozen=True)
class Corpus:
    """Ordered sentences; where there are pictures, the picture each sentence belongs to.

    `image_of[i]` is the row in `images` of sentence i: sentences with the same number are captions of one picture.
    `fingerprint` is a hash of the content (sentences and pictures), stable across machines.
    `vocabulary` lists the words of a closed world; empty where the language is open.
    `columns` are further sentences row by row, by role (`positive`, `negative` of a triplet), as long as `sentences`.
    `stores` is the folder what is made of it goes to; None: the cache folder.
    """

    sentences: Sequence[str]
    fingerprint: str
    image_of: Sequence[int] | None = None
    images: Images | None = None
    vocabulary: Sequence[str] = ()
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    stores: str | None = None


@dataclass(frozen=True)
class TokenBatch:
    """Token ids on the device, right-padded; `mask_NL` is 1 on real tokens.

    `lengths_N` are the numbers of real tokens on the host, where they are known: what to pack by without asking a device.
    """

    ids_NL: Tensor
    mask_NL: Tensor
    lengths_N: np.ndarray[tuple[int], np.dtype[np.int64]] | None = None


@dataclass(frozen=True)
class TeacherRows:
    """A frozen teacher's stored rows for one batch, detached. `sim_NN` replaces the cosine where a blend has no
    vectors.

    `states_NLT` are token states of the teacher's own tokenizer (only where a loss asks for them), `states_mask_NL` 1
    on real ones.
    """

    text_NT: Tensor | None = None
    image_NE: Tensor | None = None
    sim_NN: Tensor | None = None
    states_NLT: Tensor | None = None
    states_mask_NL: Tensor | None = None

    def similarity_NN(self, side: Side = "text") -> Tensor:
        """Cosine of every pair of the batch on one side, [N, N]. Raises ValueError where that side was not stored."""
        import torch.nn.functional as F

        if side == "text" and self.sim_NN is not None:
            return self.sim_NN
        rows = self.text_NT if side == "text" else self.image_NE
        if rows is None:
            raise ValueError(f"this teacher has no {side} rows")
        unit = F.normalize(rows, dim=-1)
        return unit @ unit.T


@dataclass(frozen=True)
class Batch:
    """One step's data, all on the device: no string, no Python list of numbers."""

    stream: str
    rows_N: Tensor
    tokens: TokenBatch
    image_of_N: Tensor | None
    teachers: Mapping[str, TeacherRows]
    pixels_NCPP: Tensor | None = None
    columns: Sequence[TokenBatch] = ()


@dataclass(frozen=True)
class Encoding:
    """What the student made of a batch. `pooled_NVD` is before the training head, `projected_NVD` after it (equal
    without one).

    Views are dropout passes of one sentence; where the corpus has columns, they are the sentence and its columns in
    order.

    `states_NVLD` are the last layer's token states, present where a loss asked for `tokens`.
    """

    pooled_NVD: Tensor
    projected_NVD: Tensor
    states_NVLD: Tensor | None = None


@dataclass(frozen=True)
class JointSpace:
    """Sentences and pictures of a batch in one space, L2-normalised: [N, V, E] and [N, E]."""

    text_NVE: Tensor
    image_NE: Tensor


@dataclass(frozen=True)
class LossInputs:
    """All a loss may look at. It never sees the model."""

    batch: Batch
    encoding: Encoding
    teachers: Mapping[str, TeacherRows]
    spaces: Mapping[str, JointSpace]
    step: int
    generator: torch.Generator


@dataclass(frozen=True)
class LossOutput:
    """A scalar with its graph, and detached scalars to log beside it."""

    loss: Tensor
    terms: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Dims:
    """Widths known when losses are built: the student's rows and each teacher's stored sides."""

    student: int
    text: Mapping[str, int] = field(default_factory=dict)
    image: Mapping[str, int] = field(default_factory=dict)
    vocabulary: int = 0
    pad_id: int = 0
    mask_id: int | None = None
    special_ids: frozenset[int] = frozenset()


# ------------------------------------------------------------------ scores
@dataclass(frozen=True, slots=True)
class Score:
    """One number in long form. `value` is a fraction (never ×100); `n` is what it rests on; `protocol` says how."""

    task: str
    metric: str
    value: float
    n: int
    split: str = "test"
    aggregation: str | None = None
    protocol: str = ""


@dataclass(frozen=True)
class Predictions:
    """Per-example predictions and gold of one task, kept for paired tests."""

    task: str
    predicted: np.ndarray[Any, Any]
    gold: np.ndarray[Any, Any]
    group: Sequence[str] | None = None


@dataclass(frozen=True)
class Evaluation:
    """What an evaluator gives back: the first score is its main one (the one a dev check selects by).

    `missing` names tasks that were asked for and whose data is absent: reported as such, never scored as zero.
    """

    scores: Sequence[Score]
    predictions: Sequence[Predictions] = ()
    missing: Sequence[str] = ()


# ------------------------------------------------------------------ running
Trouble = Literal["bug", "memory", "preempted", "lost"]


@dataclass(frozen=True)
class Task:
    """One run folder in, one record out: what an executor is handed.

    Tasks of one `shape` need the same memory; `memory` are the peak bytes of recorded runs of that shape, None where none
    was measured on this kind of device.
    """

    run_id: str
    folder: str
    needs: tuple[str, ...] = ()
    shape: str = ""
    memory: int | None = None


class Ending(NamedTuple):
    """How a task ended: done or failed, and why. What `trouble` it was decides whether it is tried again."""

    status: str
    error: str | None = None
    trouble: Trouble | None = None
