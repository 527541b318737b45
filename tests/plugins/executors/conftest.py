"""The records all executors must come to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.plugins.executors.equal import RUNS, SELECTED, outcomes, run


@pytest.fixture(scope="session")
def inline(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Of one run after another in one process."""
    results: Path = tmp_path_factory.mktemp("inline") / "results"
    done = run(results, "inline", *SELECTED)
    assert done.returncode == 0, done.stderr
    found = outcomes(results)
    assert len(found) == RUNS
    assert all(record["status"] == "done" and record["scores"] for record in found.values())
    return found
