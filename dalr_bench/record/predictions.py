"""`predictions/<task>.parquet`: per-example predictions, kept for paired tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from dalr_bench.errors import DataError, Fault
from dalr_bench.record.files import write_whole
from dalr_bench.types import Predictions


def predictions_path(folder: str | Path, task: str) -> Path:
    """`predictions/<task>.parquet`; characters a file name cannot hold are percent-encoded."""
    return Path(folder) / "predictions" / f"{quote(task, safe='')}.parquet"


def write_predictions(folder: str | Path, predictions: Predictions) -> None:
    """Per-example predictions of one task: columns `predicted`, `gold` and, where there are groups, `group`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {"predicted": predictions.predicted, "gold": predictions.gold}
    if predictions.group is not None:
        columns["group"] = list(predictions.group)
    table = pa.table(columns, metadata={"task": predictions.task})
    write_whole(predictions_path(folder, predictions.task), lambda file: pq.write_table(table, file))


def read_predictions(folder: str | Path, task: str) -> Predictions:
    """Raises DataError where the run kept none for that task, or the file is damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = predictions_path(folder, task)
    try:
        with path.open("rb") as file:  # by name the library would read only names that are UTF-8
            table = pq.read_table(file)
        predicted, gold = (table.column(name).to_numpy() for name in ("predicted", "gold"))
    except FileNotFoundError:
        raise DataError(Fault(f"this run kept no predictions of {task}", file=str(path))) from None
    except (pa.ArrowException, KeyError, OSError) as error:
        raise DataError(Fault(f"predictions are damaged: {error}", file=str(path))) from None
    group = table.column("group").to_pylist() if "group" in table.column_names else None
    return Predictions(task, predicted, gold, group)
