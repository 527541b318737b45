"""The one place where the parts meet: a run folder with its config goes in, a record comes out."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch

from dalr_bench.cache import cache_root
from dalr_bench.config import EXECUTION
from dalr_bench.data.schedule import Schedule
from dalr_bench.errors import SuiteError, UserError
from dalr_bench.evaluate.encoder import EncodeOptions, OnePass, Pace, Precision
from dalr_bench.evaluate.score import Outcome, evaluate
from dalr_bench.evaluate.untouched import forked_rng
from dalr_bench.protocols import Evaluator
from dalr_bench.record import progress
from dalr_bench.record.environment import environment
from dalr_bench.record.execution import executed
from dalr_bench.record.files import write_json, write_text
from dalr_bench.record.record import Record
from dalr_bench.record.steps import StepLog
from dalr_bench.record.store import begin, finish, read_config
from dalr_bench.restore import DIMS, FrozenRun, Opener, RunSpace, open_built
from dalr_bench.train import weights
from dalr_bench.train.engine import Engine, Watch
from dalr_bench.types import Corpus, Evaluation, Score
from dalr_bench.workshop import Built, Workshop, dims_to_json, train_options

Report = Callable[[Mapping[str, Any]], None]
_SECONDS_BETWEEN_REPORTS = 0.5


def perform(folder: Path, workshop: Workshop, report: Report) -> Record:
    """Run one folder to its record. A failure is recorded, never raised; an interrupt is raised and leaves no record."""
    job = Job(folder, workshop, report)
    begin(folder, read_config(folder))
    try:
        record = job.run()
    except Exception as error:
        record = job.failed(error)
    finish(folder, record)
    _tell(workshop, "run_finished", run_id=folder.name, record=record.to_json())
    return record


@dataclass
class Job:
    """One run on its way through prepare → train → score → record."""

    folder: Path
    workshop: Workshop
    report: Report
    seconds: dict[str, float] = field(default_factory=dict)
    _reported: float = 0.0

    def run(self) -> Record:
        """The whole run; returns its record. Training that ended before an interrupt is not done again, nor is scoring by task."""
        config = self._config()
        self.workshop.stages.clear()
        _tell(self.workshop, "run_started", run_id=self.folder.name, config=config)
        self._stage("prepare")
        summary = progress.read_trained(self.folder, weights.digest_if_there(self.folder))
        built = self._train(config) if summary is None else open_built(self.folder, self.workshop)
        summary = summary or progress.read_trained(self.folder, weights.digest(self.folder)) or {}
        self.seconds |= summary.pop("seconds", {})
        self._stage("score")
        with self.workshop.stages.part("score"):
            outcome, subject = self._score(config, built, summary["weights"])
        summary["costs"] = {**summary.get("costs", {}), **self.workshop.stages.costs()}
        self.seconds["total"] = sum(self.seconds.values())
        extra = {**summary, "subject": subject, "missing": list(outcome.missing)}
        progress.clear(self.folder)
        return self._record(config, scores=outcome.scores, extra=extra)

    def _train(self, config: Mapping[str, Any]) -> Built:
        """Prepare and train; leaves the weights and `trained.json`."""
        started = time.perf_counter()
        stages = self.workshop.stages
        with stages.part("prepare"):
            built = self.workshop.build(config, self._opener(config), self._preparing)
            engine = self._engine(config, built)
        prepared = time.perf_counter() - started
        self._stage("train")
        with StepLog(self.folder) as log, stages.part("train"):
            trained = engine.train(self._watch(config, built, log))
        stages.peak("train", trained.peak_bytes)
        self._save(built)
        summary = {
            "steps": trained.steps,
            "best_step": trained.best_step,
            "dev_curve": trained.dev_curve,
            **{name: config["train"][name] for name in sorted(EXECUTION)},
            "weights": weights.digest(self.folder),
            "bytes": {"peak": stages.highest or _peak_memory()},
            "costs": {**stages.costs(), **stages.with_joules(trained.costs, "train")},
            "seconds": {"prepare": prepared, **trained.seconds},
        }
        progress.write_trained(self.folder, summary)
        return built

    def failed(self, error: Exception) -> Record:
        """The record of a failure: one line. The traceback goes to `error.txt`."""
        line = "; ".join(map(str, error.faults)) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        write_text(self.folder / "error.txt", "".join(traceback.format_exception(error)))
        code = error.exit_code if isinstance(error, UserError) else 1
        return self._record(self._config(), status="failed", error=" ".join(line.split()), extra={"exit_code": code})

    # -------------------------------------------------------------- parts of a run
    def _config(self) -> dict[str, Any]:
        config = executed(read_config(self.folder), self.folder)
        if config["train"]["steps"] == 0:
            # Nothing is trained: no loss has a say, no teacher is asked, no checkpoint is chosen.
            config = {**config, "losses": {}, "train": {**config["train"], "dev": None}}
        return config

    def _opener(self, config: Mapping[str, Any]) -> Opener:
        return Opener(self.folder.parent, self.workshop, config.get("needs", ()), config["seed"])

    def _engine(self, config: Mapping[str, Any], built: Built) -> Engine:
        options = train_options(config)
        _check_streams(built)
        sizes = {label: len(corpus.sentences) for label, corpus in built.corpora.items()}
        schedule = Schedule(sizes, options, config["seed"])
        streams = self.workshop.streams(built) if schedule.steps else {}
        return Engine(built.student, built.objective, streams, schedule, options, config["seed"], self.workshop.device)

    def _watch(self, config: Mapping[str, Any], built: Built, log: StepLog) -> Watch:
        started = time.perf_counter()

        def step(number: int, steps: int, values: Mapping[str, float]) -> None:
            log.write(number, {**values, "seconds": round(time.perf_counter() - started, 4)})
            self._progress(number, steps, values)
            _tell(self.workshop, "step_finished", run_id=self.folder.name, step=number, values=values)

        if config["train"]["dev"] is None:
            return Watch(step)
        name = config["train"]["dev"]["name"]
        evaluator = self.workshop.evaluator(config["train"]["dev"])

        def dev(number: int) -> float:
            with forked_rng(), self.workshop.stages.part("dev"):
                scores = evaluator.evaluate(self._subject(config, built)).scores
            main = _dev_score(scores, name)
            self.report({"event": "dev", "run_id": self.folder.name, "step": number, "value": main.value})
            _tell(
                self.workshop,
                "dev_scored",
                run_id=self.folder.name,
                step=number,
                scores={s.task: s.value for s in scores},
            )
            return main.value

        return Watch(step, dev)

    def _subject(self, config: Mapping[str, Any], built: Built) -> OnePass:
        # Never by device: bf16 moves scores, so it is a choice the suite makes and the protocol states.
        precision = cast(Precision, config["train"]["score_precision"])
        options = EncodeOptions(
            precision, None, cache_root(), self._encoding, self._spaces(config, built), self._pictures(config)
        )
        return OnePass(built.student, str(self.workshop.device), options)

    def _spaces(self, config: Mapping[str, Any], built: Built) -> dict[str, RunSpace]:
        run = FrozenRun(built.student, built.objective, self.workshop.device, "")
        return {label: RunSpace(run, label, self._rows_for(config, label)) for label in built.objective.spaces}

    def _rows_for(self, config: Mapping[str, Any], label: str) -> Callable[[Corpus], torch.Tensor]:
        """The image rows a loss was trained on, for other pictures."""
        teacher = self.workshop.image_teacher(config["losses"][label])

        def rows(corpus: Corpus) -> torch.Tensor:
            if teacher is None:
                raise SuiteError(
                    f"losses.{label}: its space projects neither pictures nor the rows of an image teacher"
                )
            return self.workshop.pictures(config, teacher, corpus, self._opener(config))

        return rows

    def _pictures(self, config: Mapping[str, Any]) -> Callable[[str, Corpus], Any]:
        return lambda teacher, corpus: (
            self.workshop.pictures(config, teacher, corpus, self._opener(config)).cpu().numpy()
        )

    def _score(self, config: Mapping[str, Any], built: Built, digest: str) -> tuple[Outcome, str]:
        """The scores, and the hash by which caches of results know the student."""
        evaluators: dict[str, Evaluator] = {}
        for entry in config["evaluate"]:
            evaluators[_free(entry["name"], evaluators)] = self.workshop.evaluator(entry)
        done = progress.kept(self.folder, list(evaluators), digest)

        def finished(name: str, result: Evaluation) -> None:
            progress.keep(self.folder, name, digest, result)

        subject = self._subject(config, built)
        outcome = evaluate(evaluators, subject, done, finished)
        self.seconds |= {f"score.{name}": value for name, value in outcome.seconds.items()}
        return outcome, subject.fingerprint

    def _save(self, built: Built) -> None:
        write_json(self.folder / DIMS, dims_to_json(built.dims))
        weights.save(self.folder, built.student, built.objective)
        built.student.eval()
        built.student.save(str(self.folder / "model"))

    def _record(self, config: Mapping[str, Any], **rest: Any) -> Record:
        where = environment(str(self.workshop.device), self.workshop.plugins.catalogue)
        named = {key: config[key] for key in ("suite", "variant", "axes", "seed")}
        return Record(run_id=self.folder.name, seconds=self.seconds, environment=where, **named, **rest)

    # -------------------------------------------------------------- telling
    def _stage(self, stage: str) -> None:
        self.report({"event": "stage", "run_id": self.folder.name, "stage": stage})

    def _preparing(self, done: int, total: int) -> None:
        if self._due() or done == total:
            self.report({"event": "prepare", "run_id": self.folder.name, "done": done, "total": total})

    def _encoding(self, pace: Pace) -> None:
        if self._due():
            self.report(
                {"event": "encode", "run_id": self.folder.name, "done": pace.sentences, "total": pace.total_sentences}
            )

    def _progress(self, step: int, steps: int, values: Mapping[str, float]) -> None:
        if self._due() or step == steps:
            self.report(
                {"event": "step", "run_id": self.folder.name, "step": step, "steps": steps, "loss": values["loss"]}
            )

    def _due(self) -> bool:
        now = time.monotonic()
        due = now - self._reported > _SECONDS_BETWEEN_REPORTS
        self._reported = now if due else self._reported
        return due


def _free(name: str, taken: Mapping[str, Any]) -> str:
    """The same evaluator twice (other options) gets a number."""
    return (
        name
        if name not in taken
        else next(f"{name}.{i}" for i in range(2, len(taken) + 3) if f"{name}.{i}" not in taken)
    )


def _dev_score(scores: Any, name: str) -> Score:
    if not scores:
        raise SuiteError(f"train.dev: evaluator '{name}' gave no score")
    main: Score = scores[0]
    if main.split == "test":
        raise SuiteError(f"train.dev: evaluator '{name}' scores a test split; a checkpoint is chosen on dev data only")
    return main


def _check_streams(built: Built) -> None:
    """Losses that look at pictures cannot be active on a stream without them."""
    for term in built.objective.terms:
        for label, corpus in built.corpora.items():
            if getattr(term.loss, "needs_pixels", 0) and term.active(label) and corpus.images is None:
                raise SuiteError(
                    f"losses.{term.label}: looks at pictures, but stream '{label}' has none; say on: [a stream with pictures]"
                )


def _peak_memory() -> int:
    import resource
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _tell(workshop: Workshop, hook: str, **values: Any) -> None:
    """Call a watching hook; one that fails is named and the run goes on. Whatever it draws at random is given back."""
    try:
        with forked_rng():
            getattr(workshop.plugins.hooks.hook, hook)(**values)
    except Exception as error:
        import warnings

        warnings.warn(f"a plugin's {hook} failed and was ignored: {error}", stacklevel=2)
