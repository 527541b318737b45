"""The other processes of a run: they do what the first one says, in step with it, and leave the run folder alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dalr_bench.encoding_together import encode_along
from dalr_bench.evaluate.batches import BatchEncoder
from dalr_bench.job import Job
from dalr_bench.restore import unloaded
from dalr_bench.streaming import close
from dalr_bench.telling import Teller
from dalr_bench.train.distributed import equal
from dalr_bench.train.following import Following
from dalr_bench.train.sharding import take_part
from dalr_bench.train.words import MEETING, Heard, Line, Word
from dalr_bench.workshop import Built, Workshop


@dataclass
class Follower:
    """One process that is not the first. `folder` and all that is built in it change with every run."""

    workshop: Workshop
    line: Line
    folder: Path = Path()
    built: Built | None = None
    training: Following | None = None

    def follow(self) -> int:
        """Until the first process lets go; the exit code it says. What went wrong here alone is raised, and ends the run."""
        while (heard := self.line.hear()).word is not Word.LEAVE:
            try:
                self._obey(heard)
            except Exception:
                if not self._is_over():
                    raise
                self._rest()
        self._leave()
        self.line.over()
        return heard.number

    def _obey(self, heard: Heard) -> None:
        if heard.word is Word.RUN:
            self._leave()
            self.folder = Path(heard.more["folder"])
        elif heard.word is Word.BUILD:
            job = self._job()
            self.built, engine = job.prepared(job.config())
            self.training = Following(engine)
        elif heard.word is Word.OPEN:
            self._leave()
            self.built = unloaded(self.folder, self.workshop)
        elif heard.word is Word.ENCODE:
            assert self.built is not None
            more = heard.more
            encoder = BatchEncoder(self.built.student, self.workshop.device, more["precision"])
            encode_along(self.workshop.group, encoder, heard.number, more["sizes"])
        elif heard.word is Word.REST:
            self._rest()
        elif self.training is None or not self.training.obey(heard):
            assert self.built is not None
            if heard.word is Word.EQUAL:
                equal(self.workshop.group, (self.built.student, self.built.objective))
            else:
                take_part(self.built.student, heard.word)

    def _job(self) -> Job:
        return Job(self.folder, self.workshop, Teller(self.folder.name, _silent, self.workshop.plugins))

    def _leave(self) -> None:
        """Windows of streams that were trained on go."""
        if self.training is not None:
            self.training.end()
            close(self.training.engine.streams)
            self.workshop.teaching.dismiss()
        self.training = None

    def _rest(self) -> None:
        self._leave()
        self.built = None
        self.line.meets(MEETING)

    def _is_over(self) -> bool:
        """Whether the run ended for the first process too."""
        try:
            # What fails here mostly fails at the first process too, which then files it and says so.
            return self.line.hear(MEETING).word is Word.REST
        except RuntimeError:
            return False


def _silent(event: Mapping[str, Any]) -> None:
    """Nobody asks this process."""
