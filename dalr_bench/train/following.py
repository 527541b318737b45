"""Training as all processes but the first do it: the same steps on the own share of every batch, each when it is said."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field

import torch

from dalr_bench.train import handing_on, sharding
from dalr_bench.train.compiling import compiling
from dalr_bench.train.device import keep_pages
from dalr_bench.train.distributed import equal
from dalr_bench.train.engine import Engine
from dalr_bench.train.optim import optimizer
from dalr_bench.train.recompute import recomputing
from dalr_bench.train.words import Heard, Word


@dataclass
class Following:
    """One run's engine, obeying. It logs nothing, checks nothing, keeps and reads nothing: the first process does."""

    engine: Engine
    _adam: torch.optim.Optimizer = field(init=False)
    _how: ExitStack = field(default_factory=ExitStack)

    def end(self) -> None:
        """Training is over, or the run is."""
        self._how.close()

    def obey(self, heard: Heard) -> bool:
        """Do what was said of training; False where it is not about that."""
        engine = self.engine
        if heard.word is Word.TRAIN:
            self._how.enter_context(recomputing(engine.student, engine.options.gradient_checkpointing))
            self._how.enter_context(compiling(engine.student, engine.options.compile, engine.device))
            keep_pages(engine.device)
            self._adam = optimizer(engine.student, engine.objective, engine.options)
        elif heard.word is Word.MOMENTS:
            handing_on.take_part(self._adam, heard)
        elif heard.word is Word.STEP:
            engine.update(heard.number, self._adam)
        elif heard.word is Word.EQUAL:
            equal(engine.group, (engine.student, engine.objective))
        elif heard.word in (Word.STATE, Word.LOAD):
            sharding.take_part(engine.student, heard.word)
        else:
            return False
        return True
