"""Where evaluation data is: the folder a user names on the command line or in the environment."""

from __future__ import annotations

import os
from pathlib import Path

from dalr_bench.errors import DataError

DATA_VARIABLE = "DALR_BENCH_DATA"


def evaluation_data(given: str | Path | None = None) -> Path | None:
    """The folder `--data` (or else DALR_BENCH_DATA) names; None where neither does. Raises DataError where it is no
    folder.
    """
    named = given or os.environ.get(DATA_VARIABLE)
    if not named:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        origin = "--data" if given else DATA_VARIABLE
        raise DataError(f"{origin} names '{folder}', which is no folder; expected the folder of evaluation data")
    return folder.resolve()
