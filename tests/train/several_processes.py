"""Run by torchrun: trains the cases of a JSON file in every process; the first one leaves weights and losses."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from every_loss import engine, weights

from dalr_bench.train.distributed import join
from dalr_bench.train.engine import Watch


def trained(case: Mapping[str, Any], folder: Path) -> None:
    made = engine(**case["engine"])
    made.group = join(torch.device("cpu"))
    seen: list[dict[str, float]] = []
    made.train(Watch(lambda step, steps, values: seen.append(dict(values))))
    document = {"losses": seen, "weights": {name: value.tolist() for name, value in weights(made).items()}}
    (folder / f"{case['name']}-{made.group.rank}.json").write_text(json.dumps(document))


if __name__ == "__main__":
    out = Path(sys.argv[1])
    for each in json.loads((out / "cases.json").read_text()):
        trained(each, out)
