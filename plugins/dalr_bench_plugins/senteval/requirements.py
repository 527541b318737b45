"""Where the official evaluation sets would be, and how to get them, for `dalr-bench prefetch`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dalr_bench import DataError, Requirement
from dalr_bench_plugins.senteval.files import find_tree

_HOW = (
    "SentEval's data: run data/downstream/download_dataset.sh of princeton-nlp/SimCSE's SentEval (or "
    "get_transfer_data.bash of facebookresearch/SentEval), and name the folder in DALR_BENCH_DATA or `root`"
)
PLACES = {
    **{f"STS{year}": f"STS/STS{year}-en-test" for year in (12, 13, 14, 15, 16)},
    "STS-B": "STS/STSBenchmark",
    "SICK-R": "SICK",
    "SICK-E": "SICK",
    **{name: name for name in ("MR", "CR", "SUBJ", "MPQA", "TREC", "MRPC")},
    "SST": "SST/binary",
    "SST5": "SST/fine",
}


def set_requirements(options: Mapping[str, Any], names: Iterable[str], tree: str = "downstream") -> list[Requirement]:
    """The folders of these sets under `root`, or else DALR_BENCH_DATA; the whole tree where there is none."""
    named = options.get("root") or os.environ.get("DALR_BENCH_DATA")
    folder = None if named is None else Path(named).expanduser()
    try:
        found = find_tree(folder, tree)
    except DataError:
        return [Requirement("data", str((folder or Path("$DALR_BENCH_DATA")) / tree), _HOW)]
    places = [found / PLACES[name] for name in names] if tree == "downstream" else [found]
    return [Requirement("data", str(place), _HOW) for place in dict.fromkeys(places)]
