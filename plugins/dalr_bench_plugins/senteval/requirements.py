"""Where the official evaluation sets would be, how to get them (`dalr-bench prefetch`), and what of them counts for a run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dalr_bench import DataError, Requirement
from dalr_bench_plugins.senteval.files import find_tree
from dalr_bench_plugins.senteval.pairs import language_file

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
    places = _places(options, names, tree)
    if places is None:
        return [Requirement("data", str((_folder(options) or Path("$DALR_BENCH_DATA")) / tree), _HOW)]
    return [Requirement("data", str(place), _HOW) for place in dict.fromkeys(places.values())]


def set_contents(options: Mapping[str, Any], names: Iterable[str], tree: str = "downstream") -> dict[str, str | None]:
    """Name → hash of the set's files (None where it is absent): what counts for a run, wherever the sets lie.

    Empty where no tree is found: `root`, if it is named, then counts as any data.
    """
    from dalr_bench.suite import fingerprint

    places = _places(options, names, tree) or {}
    return {name: fingerprint(place) if place.is_dir() else None for name, place in places.items()}


def language_contents(options: Mapping[str, Any]) -> dict[str, str | None]:
    """As `set_contents`, of STS-B's pairs in the asked `languages`."""
    from dalr_bench.suite import fingerprint

    folder = _folder(options)
    files = {} if folder is None else {name: language_file(folder, name) for name in options["languages"] or ()}
    return {name: None if file is None or not file.is_file() else fingerprint(file) for name, file in files.items()}


def _places(options: Mapping[str, Any], names: Iterable[str], tree: str) -> dict[str, Path] | None:
    try:
        found = find_tree(_folder(options), tree)
    except DataError:
        return None
    return {name: found / PLACES[name] for name in names} if tree == "downstream" else {tree: found}


def _folder(options: Mapping[str, Any]) -> Path | None:
    named = options.get("root") or os.environ.get("DALR_BENCH_DATA")
    return None if named is None else Path(named).expanduser()
