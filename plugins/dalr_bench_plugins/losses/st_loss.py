"""Any loss of sentence-transformers, over the student's rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import torch

from dalr_bench import Dims, LossInputs, LossOutput, SuiteError, TeacherText, hookimpl
from dalr_bench.plugin.spec import Register

if TYPE_CHECKING:
    from torch import Tensor

Labels = Literal["none", "same", "binary", "similarity", "margin", "similarities", "rows"]
# What each family of losses is told beside the rows; others are told nothing.
_LABELS: Mapping[str, Labels] = {
    "BatchAllTripletLoss": "same",
    "BatchHardSoftMarginTripletLoss": "same",
    "BatchHardTripletLoss": "same",
    "BatchSemiHardTripletLoss": "same",
    "ContrastiveLoss": "binary",
    "OnlineContrastiveLoss": "binary",
    "SoftmaxLoss": "binary",
    "CosineSimilarityLoss": "similarity",
    "CoSENTLoss": "similarity",
    "AnglELoss": "similarity",
    "MarginMSELoss": "margin",
    "DistillKLDivLoss": "similarities",
    "MSELoss": "rows",
    "EmbedDistillLoss": "rows",
}
_TAUGHT = ("similarity", "margin", "similarities", "rows")


class SentenceTransformersLoss:
    """`loss` of sentence-transformers by its name, with its own `options`, over the student's rows after the head, z [N, V, D].

    Its columns are the views of a sentence: two dropout views (anchor, positive), or the columns of a triplet stream. What it is
    told beside them (`labels`; left out: what its family takes):
    none: the views as columns (MultipleNegativesRankingLoss, TripletLoss, ...); same: all views as rows, equal labels where the
    sentence (or its picture, where the stream has pictures) is the same; binary: (z1_i, z2_i) is 1, (z1_i, z2_i+1) is 0;
    similarity: (z1_i, z2_i+1) with the `teacher`'s cosine of the two sentences; margin: (z1_i, z2_i+1, z2_i+2) with the difference
    of the two cosines; similarities: the same columns with both cosines; rows: z1 with the teacher's rows themselves.
    i + 1 wraps around at the end of a batch.

    A function (similarity_fct, distance_metric) is written by its name in sentence_transformers.util or of its distance.
    Losses that call the model themselves are refused by name. Some ask the device for numbers in a step (OnlineContrastiveLoss).

    Source: huggingface/sentence-transformers@v6.2.0:sentence_transformers/sentence_transformer/losses.
    Raises SuiteError: an unknown or refused loss, an option it has not, labels that need a teacher.
    """

    def __init__(
        self,
        loss: str = "MultipleNegativesRankingLoss",
        options: dict[str, bool | int | float | str | list[str] | None] | None = None,
        labels: Labels | None = None,
        teacher: TeacherText | None = None,
        *,
        dims: Dims,
    ) -> None:
        from dalr_bench_plugins.networks.given_rows import open_loss

        self.labels: Labels = labels or _LABELS.get(loss, "none")
        self.teacher = teacher
        if teacher is None and self.labels in _TAUGHT:
            raise SuiteError(f"st_loss: {loss} is told the {self.labels} of a teacher: give `teacher`")
        self.loss = open_loss(loss, options or {}, dims.student)

    def __call__(self, inputs: LossInputs) -> LossOutput:
        from dalr_bench_plugins.networks.given_rows import features

        columns, labels = self._told(inputs)
        found = self.loss(features(columns), labels)
        loss: Tensor = torch.stack(list(found.values())).sum() if isinstance(found, dict) else found
        return LossOutput(loss.float())

    def _told(self, inputs: LossInputs) -> tuple[list[Tensor], Tensor | None]:
        rows_NVD = inputs.encoding.projected_NVD.float()
        views = list(rows_NVD.unbind(1))
        first, second = views[0], views[min(1, len(views) - 1)]
        if self.labels == "none":
            return views, None
        if self.labels == "same":
            keys_N = inputs.batch.image_of_N
            keys_N = torch.arange(len(first), device=first.device) if keys_N is None else keys_N
            return [rows_NVD.flatten(0, 1)], keys_N.repeat_interleave(len(views))
        if self.labels == "binary":
            columns = [torch.cat([first, first]), torch.cat([second, second.roll(-1, 0)])]
            ones = torch.ones(len(first), dtype=torch.long, device=first.device)
            return columns, torch.cat([ones, 0 * ones])
        return self._taught(first, second, inputs)

    def _taught(self, first: Tensor, second: Tensor, inputs: LossInputs) -> tuple[list[Tensor], Tensor]:
        assert self.teacher is not None
        known = inputs.teachers[self.teacher]
        if self.labels == "rows":
            if known.text_NT is None:
                raise SuiteError(f"st_loss: teacher '{self.teacher}' is a blend without rows of its own")
            return [first], known.text_NT
        sim_NN = known.similarity_NN()
        place_N = torch.arange(len(first), device=first.device)
        next_N, later_N = (sim_NN[place_N, (place_N + shift) % len(first)] for shift in (1, 2))
        if self.labels == "similarity":
            return [first, second.roll(-1, 0)], next_N
        columns = [first, second.roll(-1, 0), second.roll(-2, 0)]
        return columns, next_N - later_N if self.labels == "margin" else torch.stack([next_N, later_N], dim=1)


@hookimpl
def register_losses(register: Register) -> None:
    register("st_loss", SentenceTransformersLoss)
