"""One run on its way through prepare → train → score → record."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from dalr_bench.config import EXECUTION
from dalr_bench.errors import SuiteError, TrainingError
from dalr_bench.evaluate.score import Outcome, evaluate, steps
from dalr_bench.evaluate.untouched import forked_rng
from dalr_bench.keeping import Keeping
from dalr_bench.looked_at import LookedAt
from dalr_bench.protocols import Evaluator
from dalr_bench.record import progress
from dalr_bench.record.checkpoints import AT_ONCE
from dalr_bench.record.environment import environment
from dalr_bench.record.events import tell_event
from dalr_bench.record.execution import executed, tell_processes
from dalr_bench.record.files import write_folder, write_json
from dalr_bench.record.lease import Lease
from dalr_bench.record.record import Record
from dalr_bench.record.retries import carried
from dalr_bench.record.space import check_space
from dalr_bench.record.steps import StepLog
from dalr_bench.record.store import read_config
from dalr_bench.restore import DIMS, Opener, open_built
from dalr_bench.stopping import Stop, patient
from dalr_bench.streaming import leaving
from dalr_bench.telling import Teller
from dalr_bench.train import weights
from dalr_bench.train.checkpoint import PARTS, Checkpoints
from dalr_bench.train.compiling import ready
from dalr_bench.train.course import Trained
from dalr_bench.train.distributed import equal
from dalr_bench.train.engine import Engine, Watch
from dalr_bench.train.seed import seed_all
from dalr_bench.train.words import Word
from dalr_bench.types import Evaluation, Score
from dalr_bench.workshop import Built, Workshop, dims_to_json, train_options


@dataclass
class Job:
    """One run. It writes to its folder as long as it holds the lease."""

    folder: Path
    workshop: Workshop
    teller: Teller
    keeping: Keeping = field(default_factory=Keeping)
    lease: Lease | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    def run(self) -> Record:
        """The whole run; returns its record. Training goes on from the last checkpoint, scoring resumes by task."""
        began, config = time.perf_counter(), self.config()
        tell_processes(self.folder, self.workshop.group.size, self.workshop.group.shard)
        self.workshop.stages.clear()
        self.teller.hook("run_started", config=config)
        self.teller.event("stage", stage="prepare")
        summary = progress.read_trained(self.folder, weights.digest_if_there(self.folder))
        built = self._train(config) if summary is None else self._opened()
        summary = summary or progress.read_trained(self.folder, weights.digest(self.folder)) or {}
        self.seconds |= summary.pop("seconds", {})
        self.teller.event("stage", stage="score")
        with self.workshop.stages.part("score"):
            outcome, subject = self._score(config, built, summary["weights"])
        summary["costs"] = {**summary.get("costs", {}), **self.workshop.stages.costs()}
        # Saving weights and all else that has no name of its own, as far as this attempt was there to see it.
        self.seconds["other"] = max(0.0, time.perf_counter() - began - sum(self.seconds.values()))
        self.seconds["total"] = sum(self.seconds.values())
        extra = {**summary, "subject": subject, "missing": list(outcome.missing)}
        return self.record(config, scores=outcome.scores, extra=extra)

    def _opened(self) -> Built:
        """A run whose training is over."""
        group = self.workshop.group
        group.say(Word.OPEN)
        built = open_built(self.folder, self.workshop)
        group.say(Word.EQUAL)
        equal(group, (built.student, built.objective))
        return built

    def is_mine(self) -> bool:
        """Whether the folder is still this process's to write to."""
        return self.lease is None or self.lease.is_mine()

    def config(self) -> dict[str, Any]:
        """The resolved config as it is run."""
        config = executed(read_config(self.folder), self.folder)
        if config["train"]["steps"] == 0:
            # Nothing is trained: no loss has a say, no teacher is asked, no checkpoint is chosen.
            config = {**config, "losses": {}, "train": {**config["train"], "dev": None}}
        return config

    def record(self, config: Mapping[str, Any], extra: Mapping[str, Any], **rest: Any) -> Record:
        """A record of this run, here and now."""
        rest["extra"] = {**extra, **carried(config, self.folder)}
        where = environment(str(self.workshop.device), self.workshop.plugins.catalogue)
        where |= {"processes": self.workshop.group.size, "shard": self.workshop.group.shard}
        named = {key: config[key] for key in ("suite", "variant", "axes", "seed")}
        return Record(run_id=self.folder.name, seconds=self.seconds, environment=where, **named, **rest)

    # -------------------------------------------------------------- training
    def _train(self, config: Mapping[str, Any]) -> Built:
        """Prepare and train; leaves the weights and `trained.json`."""
        started = time.perf_counter()
        stages = self.workshop.stages
        ready(config["train"].get("compile", "none"), self.workshop.device)
        with stages.part("prepare"):
            self.workshop.group.say(Word.BUILD)
            built, engine = self.prepared(config)
        self._check_space(engine)
        prepared = time.perf_counter() - started
        self.teller.event("stage", stage="train")
        with stages.part("train"), leaving(engine.streams), self.workshop.teaching.lasting():
            trained = self._steps(config, built, engine)
        for label in built.objective.idle:
            self.teller.warning(f"losses.{label} never had a gradient, so it trained nothing: is its value detached?")
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
        tell_event(self.folder, "trained", steps=trained.steps)
        return built

    def prepared(self, config: Mapping[str, Any]) -> tuple[Built, Engine]:
        """What a run trains with; nothing is written to its folder."""
        built = self.workshop.build(config, self._opener(config), self.teller.preparing)
        return built, self._engine(config, built)

    def _engine(self, config: Mapping[str, Any], built: Built) -> Engine:
        options = train_options(config)
        if self.workshop.group.shard is not None and options.compile != "none":
            raise SuiteError("train.compile: weights that are cut among processes are not compiled; leave out shard=fsdp")
        _check_streams(built)
        schedule = self.workshop.schedule(built, options, config["seed"])
        streams = self.workshop.streams(built) if schedule.steps else {}
        where = (self.workshop.device, self.workshop.group)
        return Engine(built.student, built.objective, streams, schedule, options, config["seed"], *where)

    def _steps(self, config: Mapping[str, Any], built: Built, engine: Engine) -> Trained:
        """The loop, from the last checkpoint on."""
        seed_all(config["seed"], "train")
        with patient() as stop:
            saver = Checkpoints(self.folder, self.keeping, stop, self._checkpointed, engine.schedule.steps, self._lost)
            with StepLog(self.folder, after=saver.find()) as log:
                saver.synced = log.sync
                return engine.train(self._watch(config, built, log, stop), saver)

    def _check_space(self, engine: Engine) -> None:
        """Room for the weights, once by themselves and once as a model folder, and for the checkpoints on the way."""
        never = Keeping(retain=self.keeping.retain) == self.keeping
        size = weights.size(engine.student) + weights.size(engine.objective)
        course = 0 if never or engine.schedule.steps == 0 else AT_ONCE * PARTS * size
        check_space(self.folder, 2 * size + course, "its weights and checkpoints")

    def _lost(self) -> bool:
        return self.lease is not None and self.lease.lost.is_set()

    def _checkpointed(self, event: Mapping[str, Any]) -> None:
        if "text" in event:
            self.teller.warning(str(event["text"]))
        try:
            tell_event(self.folder, **event)
        except OSError:
            if event["event"] != "unsaved":  # the disk that has no room for a checkpoint has none for telling so
                raise

    def _watch(self, config: Mapping[str, Any], built: Built, log: StepLog, stop: Stop) -> Watch:
        started = time.perf_counter() - log.seconds

        def step(number: int, steps: int, values: Mapping[str, float]) -> None:
            log.write(number, {**values, "seconds": round(time.perf_counter() - started, 4)})
            self.teller.step(number, steps, values)

        if config["train"]["dev"] is None:
            return Watch(step)
        name = config["train"]["dev"]["name"]
        evaluator = self.workshop.evaluator(config["train"]["dev"])

        def dev(number: int) -> float:
            with stop.waits(False), forked_rng(), self.workshop.stages.part("dev"):
                scores = evaluator.evaluate(self._looked_at(config, built).subject(self.teller.encoding)).scores
            main = _dev_score(scores, name)
            self.teller.event("dev", step=number, value=main.value)
            self.teller.hook("dev_scored", step=number, scores={s.task: s.value for s in scores})
            return main.value

        return Watch(step, dev)

    def _save(self, built: Built) -> None:
        write_json(self.folder / DIMS, dims_to_json(built.dims))
        weights.save(self.folder, built.student, built.objective)
        cut = self.workshop.group.shard is not None
        student = self.workshop.copied(self.config(), built) if cut else built.student
        student.eval()
        write_folder(self.folder / "model", lambda part: student.save(str(part)))

    # -------------------------------------------------------------- scoring
    def _score(self, config: Mapping[str, Any], built: Built, digest: str) -> tuple[Outcome, str]:
        """The scores, and the hash by which caches of results know the student."""
        evaluators: dict[str, Evaluator] = {}
        for entry in config["evaluate"]:
            evaluators[_free(entry["name"], evaluators)] = self.workshop.evaluator(entry)
        done = progress.kept(self.folder, list(steps(evaluators)), digest)

        def finished(name: str, result: Evaluation) -> None:
            progress.keep(self.folder, name, digest, result)

        subject = self._looked_at(config, built).subject(self.teller.encoding)
        outcome = evaluate(evaluators, subject, done, finished)
        self.seconds |= {f"score.{name}": value for name, value in outcome.seconds.items()}
        return outcome, subject.fingerprint

    def _looked_at(self, config: Mapping[str, Any], built: Built) -> LookedAt:
        return LookedAt(config, built, self.workshop, self._opener(config))

    def _opener(self, config: Mapping[str, Any]) -> Opener:
        return Opener(self.folder.parent, self.workshop, config.get("needs", ()), config["seed"])


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
    if not isfinite(main.value):
        raise TrainingError(f"train.dev: evaluator '{name}' gave {main.value} for {main.task}: nothing can be chosen by it")
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
