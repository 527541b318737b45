"""Keep a suite's results in one small file: `python tools/keep_results.py results/ablation docs/tables/ablation.jsonl`.

First line the suite's summary, then a record a line. What a table does not need (curves, the environment beyond machine and
versions) is left out. Tables under docs/ are rendered from these files by tests/test_kept_tables.py.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

_ENVIRONMENT = (
    "platform",
    "cpu",
    "cores",
    "memory_bytes",
    "device",
    "python",
    "libraries",
    "dalr_bench",
    "commit",
)


def kept(record: dict[str, Any]) -> dict[str, Any]:
    """The part of a record a table or a reader of one needs."""
    keys = ("schema", "run_id", "suite", "variant", "axes", "seed", "status", "error", "scores", "seconds")
    environment = {key: value for key, value in record["environment"].items() if key in _ENVIRONMENT}
    rounded = {key: round(value, 3) for key, value in record["seconds"].items()}
    return {key: record[key] for key in keys} | {"seconds": rounded, "environment": environment}


def main(results: Path, out: Path) -> None:
    """Write `out` from a results folder."""
    summary = json.loads((results / "suite.json").read_text())
    records = [json.loads(path.read_text()) for path in sorted(results.glob("*/record.json"))]
    lines = [json.dumps(item, ensure_ascii=False) for item in (summary, *map(kept, records))]
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
