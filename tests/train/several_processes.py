"""Run by torchrun: the first process trains the cases of a JSON file, the others follow; both leave weights, the first one losses."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from every_loss import SENTENCES, engine, weights

from dalr_bench.encoding_together import EncodingTogether, encode_along
from dalr_bench.evaluate.batches import BatchEncoder
from dalr_bench.evaluate.encoder import EncodeOptions, OnePass
from dalr_bench.keeping import Keeping
from dalr_bench.stopping import Stop
from dalr_bench.train import distributed
from dalr_bench.train.checkpoint import Checkpoints
from dalr_bench.train.distributed import Group, join
from dalr_bench.train.engine import Engine, Watch
from dalr_bench.train.following import Following
from dalr_bench.train.sharding import shard
from dalr_bench.train.words import Word
from dalr_bench.types import Batch

CPU = torch.device("cpu")


def lead(made: Engine, case: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    seen: list[dict[str, float]] = []
    sign = case.get("best")  # 1: the last weights are kept, -1: the first that were looked at
    dev = (lambda step: float(sign * step)) if sign else None
    saver = keeping(folder / "run", bool(case.get("resumes"))) if sign else None
    made.train(Watch(lambda step, steps, values: seen.append(dict(values)), dev), saver)
    options = EncodeOptions(budget=40, encoded=EncodingTogether(made.group))
    rows_ND = OnePass(made.student, "cpu", options).encode(SENTENCES)
    np.save(folder / f"{case['name']}-rows.npy", rows_ND)
    return {"losses": seen, "costs": made.looks.account.costs()}


def keeping(folder: Path, resumes: bool) -> Checkpoints:
    if resumes:
        shutil.rmtree(folder / "checkpoints" / f"{4:09d}")
    found = Checkpoints(folder, Keeping(steps=2), Stop(), lambda event: None)
    assert found.find() == (2 if resumes else 0)
    return found


def follow(made: Engine) -> dict[str, Any]:
    training = Following(made)
    assert made.group.line is not None
    while (heard := made.group.line.hear()).word is not Word.REST:
        if heard.word is Word.ENCODE:
            encode_along(made.group, BatchEncoder(made.student, CPU), heard.number, heard.more["sizes"])
        else:
            assert training.obey(heard)
    return {"losses": []}


def slow_down(made: Engine) -> None:
    """Its share of a step takes a while, so the others wait for it."""
    share = made.pieces

    def pieces(step: int, size: int) -> Iterator[Batch]:
        time.sleep(0.2)
        return share(step, size)

    object.__setattr__(made, "pieces", pieces)


def trained(case: Mapping[str, Any], folder: Path, group: Group) -> None:
    made = engine(**case["engine"])
    made.group = replace(group, shard="fsdp" if case.get("shard") else None)
    if case.get("shard"):
        shard(made.student, made.group, CPU)
    if case.get("slow") == group.rank:
        slow_down(made)
    with patch.object(distributed, "_LARGE", case.get("large", distributed._LARGE)):
        found = lead(made, case, folder) if group.rank == 0 else follow(made)
    if case.get("shard"):
        # The first process asks for whole weights, the other one gives its parts.
        if group.rank == 0:
            found["weights"] = {name: value.tolist() for name, value in weights(made).items()}
            group.say(Word.REST)
        else:
            return
    else:
        found["weights"] = {name: value.tolist() for name, value in weights(made).items()}
        group.say(Word.REST)
    (folder / f"{case['name']}-{group.rank}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    out = Path(sys.argv[1])
    everybody = join(CPU)
    for each in json.loads((out / "cases.json").read_text()):
        trained(each, out, everybody)
    assert everybody.line is not None
    everybody.line.over()
