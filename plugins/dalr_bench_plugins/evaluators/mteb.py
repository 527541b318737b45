"""Any task or benchmark of the mteb library, on the hub's data or on local files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from dalr_bench import DataError, DataPath, Evaluation, Score, Subject, SuiteError, hookimpl
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.mteb_tasks.local import digest, files_of, rows_of
from dalr_bench_plugins.senteval.protocol import signature


class Mteb:
    """A task's main score as mteb computes it, under `mteb/TASK`; its results are kept in mteb's own form as well.

    `tasks`: names of tasks or benchmarks (`STS12`, `Banking77Classification`, `MTEB(eng, v2)`). `languages` narrows
    multilingual tasks (ISO 639-3). `root`: a folder of JSON lines to use instead of the hub's data (`TASK/SPLIT.jsonl`,
    or `*/TASK.SPLIT.jsonl`); a name mteb does not know is a folder there with a retrieval, reranking, clustering or
    classification task of one's own (what files make which: `dalr_bench_plugins/mteb_tasks/folder.py`). `name` and
    `experiment` say under what name and which settings mteb files the results; the revision is always the hash of the
    weights, so no two models share a score. `results`: the folder of mteb's results (default: MTEB_CACHE, or mteb's
    own); a task found there for these weights and this data is not run again.

    mteb's SICK-R is all pairs of SICK, SentEval's only its test file. Raises SuiteError for an unknown task, DataError
    where data is missing. Source: embeddings-benchmark/mteb 2.26.
    """

    split = "test"

    def __init__(
        self,
        tasks: Annotated[list[str], Field(min_length=1)],
        languages: list[str] | None = None,
        root: DataPath | None = None,
        name: Annotated[str, Field(pattern="^[^/]+/[^/]+$")] = "dalr-bench/student",
        experiment: dict[str, str] | None = None,
        results: str | None = None,
    ) -> None:
        from dalr_bench_plugins.mteb_tasks.encoder import tasks_named

        self.name, self.experiment, self.results = name, experiment or {}, results
        self.root = Path(root) if root is not None else None
        self.languages = sorted(languages or ())
        try:
            self.tasks = tasks_named(tasks, languages, self.root)
        except (KeyError, ValueError) as error:
            raise SuiteError(f"mteb: {str(error.args[0]).splitlines()[0] if error.args else error}") from error

    def sentences(self) -> Iterator[str]:
        """None beforehand: mteb hands its sentences over while a task runs."""
        yield from ()

    def evaluate(self, subject: Subject) -> Evaluation:
        """The main score of every task and evaluated split; multilingual tasks average their subsets."""
        return Evaluation([score for task in self.tasks for score in self._scores(task, subject)])

    def _scores(self, task: Any, subject: Subject) -> Iterator[Score]:
        import mteb

        data, sizes = self._data(task)
        result = self._run(task, subject, {**self.experiment, **data})
        metric = str(task.metadata.main_score)
        facts = {"library": mteb.__version__, "task": task.metadata.name, "data": data.get("data", "hub")}
        facts["revision"] = task.metadata.dataset.get("revision", "none") if "data" not in data else "local"
        facts |= {"languages": " ".join(self.languages)} if self.languages else {}
        for split, subsets in sorted(result.scores.items()):
            values = [float(subset["main_score"]) for subset in subsets]
            protocol = signature("mteb", subject, facts)
            value = round(sum(values) / len(values), 6)  # as mteb files it: a kept result equals a fresh one
            yield Score(f"mteb/{task.metadata.name}", metric, value, sizes.get(split, 0), split, None, protocol)

    def _data(self, task: Any) -> tuple[dict[str, str], Mapping[str, int]]:
        """What names the data in mteb's results, and the number of examples of each split."""
        made = getattr(task, "n", None)
        if made is not None:
            return {"data": f"local-{task.metadata.dataset['revision']}"}, {"test": made}
        if self.root is None:
            known = task.metadata.n_samples or {}
            return {}, {split: int(known.get(split) or 0) for split in task.metadata.eval_splits}
        from datasets import Dataset, DatasetDict

        splits = list(task.metadata.eval_splits)
        if task.metadata.type == "Classification":
            splits.append("train")
        files = files_of(self.root, task.metadata.name, splits)
        rows = {split: rows_of(paths) for split, paths in files.items()}
        task.dataset = DatasetDict({split: Dataset.from_list(found) for split, found in rows.items()})
        task.data_loaded = True
        return {"data": f"local-{digest(files)}"}, {split: len(found) for split, found in rows.items()}

    def _run(self, task: Any, subject: Subject, experiment: Mapping[str, str]) -> Any:
        import mteb

        from dalr_bench_plugins.mteb_tasks.encoder import SubjectEncoder

        cache = _cache(self.results)
        encoder = SubjectEncoder(subject, self.name, experiment)
        try:
            found = mteb.evaluate(encoder, task, cache=cache, show_progress_bar=False, co2_tracker=False)
        except (ConnectionError, FileNotFoundError, OSError) as error:
            what = " ".join(str(error).split())[:200]
            raise DataError(f"mteb {task.metadata.name}: its data cannot be had ({what}); give `root`") from error
        return found.task_results[0]


@hookimpl
def register_evaluators(register: Register) -> None:
    register("mteb", Mteb)


@hookimpl
def model_exported(folder: str, config: Mapping[str, Any], record: Mapping[str, Any]) -> None:
    """Lay mteb's own result files of this run, under their own name and revision, into `mteb/` of a published folder:
    `mteb.ResultCache("mteb")` reads them there.
    """
    for entry in config["evaluate"]:
        if entry["name"] == "mteb" and record.get("subject"):
            inner = Path("results", entry["options"]["name"].replace("/", "__"), str(record["subject"]))
            found = _cache(entry["options"]["results"]).cache_path / inner
            if found.is_dir():
                shutil.copytree(found, Path(folder, "mteb") / inner, dirs_exist_ok=True)


def _cache(results: str | None) -> Any:
    from mteb.cache import ResultCache

    return ResultCache(results) if results is not None else ResultCache()
