"""The command line called in this process, and the records it leaves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dalr_bench.cli.main import main


def call(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return int(left.value.code or 0), captured.out, captured.err


def records(results: Path) -> dict[str, dict[str, Any]]:
    return {path.parent.name: json.loads(path.read_text()) for path in sorted(results.glob("*/*/record.json"))}


def outcome(record: dict[str, Any]) -> dict[str, Any]:
    """What must be equal on one machine: all but time, place and memory."""
    return {key: value for key, value in record.items() if key not in ("seconds", "environment", "bytes", "costs")}
