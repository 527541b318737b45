"""A run's student as evaluators see it: sentences encoded once, its joint spaces, an image teacher's rows of any corpus."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch

from dalr_bench.cache import cache_root
from dalr_bench.encoding_together import EncodingTogether
from dalr_bench.errors import SuiteError
from dalr_bench.evaluate.batches import Precision, one_by_one
from dalr_bench.evaluate.encoder import EncodeOptions, OnePass, Pace
from dalr_bench.restore import FrozenRun, Opener, RunSpace
from dalr_bench.types import Corpus
from dalr_bench.workshop import Built, Workshop


@dataclass(frozen=True)
class LookedAt:
    """What it takes to look at the student of a run."""

    config: Mapping[str, Any]
    built: Built
    workshop: Workshop
    opener: Opener

    def subject(self, pace: Callable[[Pace], None]) -> OnePass:
        """The student as it is now."""
        # Never by device: bf16 moves scores, so it is a choice the suite makes and the protocol states.
        precision = cast(Precision, self.config["train"]["score_precision"])
        group = self.workshop.group
        encoded = one_by_one if group.line is None else EncodingTogether(group)
        options = EncodeOptions(precision, None, cache_root(), pace, self._spaces(), self._pictures, encoded)
        return OnePass(self.built.student, str(self.workshop.device), options)

    def _spaces(self) -> dict[str, RunSpace]:
        if not self.built.objective.spaces:
            return {}
        run = self._run()
        return {label: RunSpace(run, label, self._rows_for(label)) for label in self.built.objective.spaces}

    def _run(self) -> FrozenRun:
        """Student and losses for this process alone: a joint space asks for rows when it likes, and nobody else would take part."""
        built, group = self.built, self.workshop.group
        if group.shard is None:
            return FrozenRun(built.student, built.objective, self.workshop.device, "")
        host = torch.device("cpu")
        return FrozenRun(self.workshop.copied(self.config, built), copy.deepcopy(built.objective).to(host), host, "")

    def _rows_for(self, label: str) -> Callable[[Corpus], torch.Tensor]:
        """The image rows a loss was trained on, for other pictures."""
        teacher = self.workshop.image_teacher(self.config["losses"][label])

        def rows(corpus: Corpus) -> torch.Tensor:
            if teacher is None:
                raise SuiteError(
                    f"losses.{label}: its space projects neither pictures nor the rows of an image teacher"
                )
            return self.workshop.pictures(self.config, teacher, corpus, self.opener)

        return rows

    def _pictures(self, teacher: str, corpus: Corpus) -> Any:
        return self.workshop.pictures(self.config, teacher, corpus, self.opener).cpu().numpy()
