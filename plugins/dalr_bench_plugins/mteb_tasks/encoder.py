"""A subject as the mteb library sees a model: a name, a revision that is the hash of its weights, rows for sentences."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mteb
from mteb.models.abs_encoder import AbsEncoder
from mteb.models.model_meta import ModelMeta, ScoringFunction

from dalr_bench import Subject
from dalr_bench_plugins.mteb_tasks.folder import folder_task


class SubjectEncoder(AbsEncoder):  # type: ignore[misc]  # mteb is optional, so its classes have no types here
    """Looks rows up in the subject, which encodes each distinct sentence once over all evaluators.

    Without a ModelMeta of its own mteb would file every local model under one name and serve the first one's scores to
    all others.
    """

    def __init__(self, subject: Subject, name: str, experiment: Mapping[str, str]) -> None:
        self.model = subject
        self.mteb_model_meta = ModelMeta.create_empty(
            overwrites={
                "name": name,
                "revision": subject.fingerprint,
                "experiment_kwargs": dict(experiment) or None,
                "similarity_fn_name": ScoringFunction.COSINE,
                "framework": ["PyTorch"],
            }
        )

    def encode(self, inputs: Any, **_: Any) -> Any:
        """Rows of every text of a loader's batches, [n, D]."""
        return self.model.encode([text for batch in inputs for text in batch["text"]])


def tasks_named(names: list[str], languages: list[str] | None, root: Path | None) -> list[Any]:
    """Tasks, the tasks of benchmarks, and those made of a folder under `root`, by name.

    Raises KeyError for a name that neither mteb nor `root` has.
    """
    benchmarks = {benchmark.name for benchmark in mteb.get_benchmarks()}
    known = {task.metadata.name for task in mteb.get_tasks()}
    out: list[Any] = []
    for name in names:
        made = folder_task(root / name) if root is not None and name not in known else None
        if made is not None:
            found = [made]
        else:
            found = mteb.get_benchmark(name).tasks if name in benchmarks else [mteb.get_task(name, languages=languages)]
        out += [task for task in found if task.metadata.name not in {other.metadata.name for other in out}]
    return out
