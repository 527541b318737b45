"""A run folder with its config goes in, a record comes out: once, whoever else looks at the folder."""

from __future__ import annotations

import re
import traceback
from contextlib import suppress
from pathlib import Path

from dalr_bench.errors import EXIT_SOME_FAILED, UserError
from dalr_bench.execute.trouble import trouble_of
from dalr_bench.job import Job
from dalr_bench.keeping import Keeping
from dalr_bench.protocols import Report
from dalr_bench.record.events import tell_event
from dalr_bench.record.files import write_text
from dalr_bench.record.record import Record
from dalr_bench.record.retention import tidy
from dalr_bench.record.store import begin, finish, read_config, read_record
from dalr_bench.sharing import take_over_one
from dalr_bench.telling import Teller
from dalr_bench.train.checkpoint import LeaseLostError
from dalr_bench.turn import wait_for_turn
from dalr_bench.workshop import Workshop

_FULL = re.compile(r"(?i)\b(errno 28|os error 28|errno 122|os error 122|no space left)\b")  # ENOSPC, EDQUOT


def perform(folder: Path, workshop: Workshop, report: Report, keeping: Keeping | None = None) -> Record:
    """Run one folder to its record. A failure is recorded, never raised; an interrupt is raised and leaves no record.

    Where another process works on the folder, or on an equal run of another suite, this one waits; what is done by then is
    not done again.
    """
    teller = Teller(folder.name, report, workshop.plugins)
    try:
        lease, waited = wait_for_turn(folder, lambda who: teller.event("waiting", holder=who))
    except OSError as error:
        return _unwritten(folder, error)
    done = False
    try:
        found = read_record(folder)
        if found is None or (found.status != "done" and not waited):
            found = _run(Job(folder, workshop, teller, keeping or Keeping.from_environment(), lease))
        done = found.status == "done"
        return found
    finally:
        lease.release(keep_number=not done)


def _run(job: Job) -> Record:
    try:
        if (record := take_over_one(job.folder, job.keeping.retain)) is not None:
            return record
        begin(job.folder, read_config(job.folder))
        record = job.run()
        if not job.is_mine():
            raise LeaseLostError
        finish(job.folder, record)
    except LeaseLostError:
        return _unwritten(job.folder, LeaseLostError("another process took this run over"))
    except Exception as error:
        record = _fail(job, error)
    except SystemExit as error:
        left = RuntimeError(f"a component left by sys.exit({error.code!r})")
        left.__cause__ = error  # error.txt shows where
        record = _fail(job, left)
    except KeyboardInterrupt:
        with suppress(OSError):
            tell_event(job.folder, "interrupted")
        raise
    if record.status == "done":
        tidy(job.folder, job.keeping.retain)
    job.teller.hook("run_finished", record=record.to_json())
    return record


def _fail(job: Job, error: Exception) -> Record:
    """File the record of a failure, one line, and its traceback; a full disk may have no room for either."""
    record = _unwritten(job.folder, error)
    try:
        config = job.config()
        record = job.record(config, status="failed", error=record.error, extra=record.extra)
        write_text(job.folder / "error.txt", "".join(traceback.format_exception(error)))
        finish(job.folder, record)
    except (OSError, UserError) as further:
        job.teller.warning(f"its failure could not be recorded: {line(further)}")
    return record


def _unwritten(folder: Path, error: Exception) -> Record:
    code = error.exit_code if isinstance(error, UserError) else EXIT_SOME_FAILED
    return Record(
        folder.name,
        "",
        "",
        0,
        status="failed",
        error=line(error),
        extra={"exit_code": code, "trouble": trouble_of(error)},
    )


def line(error: Exception) -> str:
    """A fault in one line."""
    if isinstance(error, UserError):
        return "; ".join(map(str, error.faults))
    text = " ".join(f"{type(error).__name__}: {error}".split())
    if _FULL.search(text):
        return f"the disk is full; free some space and run the same command again ({text})"
    return text

