"""Fault trials: `drive.py kills|writes|damage|crowd`. A line of JSON for each, exit code 1 if any went wrong.

Started with LD_PRELOAD set to the layer of layer.c (tests/faults/test_faults.py does both).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from lab import BROKEN, DIE, FULL, TEAR, Lab, Strike, leftovers, lines, run_folders

STAGES = ("preparing", "training", "checkpointing", "scoring", "recording")
Trial = dict[str, Any]


def stage_of(call: str) -> str:
    """The part of the work a call belongs to, by the file it touches."""
    path = call.split(" ", 2)[2]
    if "/checkpoints" in path:
        return "checkpointing"
    if any(part in path for part in ("/scored", "/predictions", "/encodings")):
        return "scoring"
    if any(part in path for part in ("record.json", "scores.json")):
        return "recording"
    return "training" if any(part in path for part in ("steps.jsonl", "weights", "model", "trained")) else "preparing"


def stage_now(place: Path) -> str:
    """How far the suite had come when it was killed, from its folders: those of the run that comes last, the student, first."""
    for folder in run_folders(place):
        told = [json.loads(line)["event"] for line in lines(folder / "events.jsonl")]
        if (folder / "record.json").exists():
            return "recording" if folder.name.startswith("student") else "preparing"
        if "trained" in told:
            return "scoring"
        if told and (folder / "steps.jsonl").exists():
            return "checkpointing" if list((folder / "checkpoints").glob(".*")) else "training"
    return "preparing"


def kills(lab: Lab, count: int, rng: random.Random) -> Iterator[Trial]:
    """Half at a moment of the clock, half at a call (or in the middle of a write); every third is killed a second time."""
    by_stage = {stage: [n for n, call in enumerate(lab.calls, 1) if stage_of(call) == stage] for stage in STAGES}
    for number in range(count):
        place = lab.root / f"kill-{number}"
        struck = []
        for _ in range(2 if number % 3 == 2 else 1):
            if number % 2:
                strike = Strike(seconds=round(rng.uniform(0.02, 0.9) * lab.took, 3))
            else:
                at = rng.choice(by_stage[STAGES[number // 2 % len(STAGES)]])
                strike = Strike(at, rng.choice([DIE, TEAR]))
            code = lab.run(place, strike)
            where = stage_now(place) if strike.seconds else stage_of(last_line(place))
            struck.append({"at": strike.seconds or last_line(place), "stage": where, "code": code})
        yield finished(lab, place, {"kills": struck})


def writes(lab: Lab, count: int, rng: random.Random) -> Iterator[Trial]:
    """A disk that is full from a call on, and one that fails once, in turn: at `count` calls, or (0) at every one that writes."""
    # Removing needs no room and is not counted where calls fail, so the numbers are those of the other calls alone.
    counted = [call for call in lab.calls if call.split()[1] not in ("unlink", "rmdir")]
    places = [number for number, call in enumerate(counted, 1) if lab.near in call]
    for number, at in enumerate(rng.sample(places, count or len(places))):
        how = (FULL, BROKEN)[number % 2]
        place = lab.root / f"write-{at}"
        code = lab.run(place, Strike(at, how))
        said = (place / "log").read_text()
        trial: Trial = {"at": last_line(place), "errno": how, "code": code}
        wrong = ["a traceback"] if "Traceback" in said else []
        wrong += [] if code in (0, 1) else [f"exit code {code}"]
        wrong += (
            ["says nothing"] if code == 1 and not any(word in said for word in ("No space", "Input/output")) else []
        )
        wrong += [f"{path.relative_to(place)} stayed" for path in leftovers(place) if ".part" in path.name]
        yield finished(lab, place, trial, wrong)


def damage(lab: Lab, count: int, rng: random.Random) -> Iterator[Trial]:
    """Killed at the end of training with two checkpoints there; then the newest is harmed, or both are."""
    saving = (n for n, call in enumerate(lab.calls, 1) if "/student" in call and "/.weights.safetensors" in call)
    last = next(saving)
    harms: dict[str, Callable[[Path], Any]] = {
        "truncated": lambda folder: os.truncate(folder / "moments.safetensors", 1000),
        "bit-flipped": lambda folder: flip(folder / "weights.safetensors", rng),
        "missing": lambda folder: (folder / "best.safetensors").unlink(),
        "no manifest": lambda folder: (folder / "manifest.json").unlink(),
    }
    cases = [(name, harmed) for harmed in (1, 2) for name in harms]
    for name, harmed in cases[: count or None]:
        place = lab.root / f"damage-{name}-{harmed}"
        lab.run(place, Strike(last, DIE))
        (student,) = (folder for folder in run_folders(place) if folder.name.startswith("student"))
        there = sorted((student / "checkpoints").iterdir(), reverse=True)
        for folder in there[:harmed]:
            harms[name](folder)
        trial = finished(lab, place, {"harm": name, "checkpoints": len(there), "harmed": harmed}, keep=True)
        said = (place / "log").read_text()
        told = [json.loads(line) for line in lines(student / "events.jsonl")]
        found = [event["step"] for event in told if event["event"] == "resumed"]
        expected = [int(folder.name) for folder in there[harmed:]]
        trial["wrong"] += [] if found == expected else [f"went on from {found}, not {expected}"]
        trial["wrong"] += [] if said.count("is not used:") == harmed else ["not told in one line each"]
        shutil.rmtree(place)
        yield trial


def crowd(lab: Lab, count: int, rng: random.Random) -> Iterator[Trial]:
    """`count` processes on one results folder at the same time; in the second trial three of them are killed."""
    for victims in (0, 3 if count > 4 else 1):
        place = lab.root / f"crowd-{victims}"
        children = [lab.start(place, Strike()) for _ in range(count)]
        for child in children[:victims]:
            time.sleep(rng.uniform(0.05, 1.0) * lab.took)
            os.kill(child, signal.SIGKILL)
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        trial: Trial = {"processes": count, "killed": victims, "codes": codes}
        wrong = [f"exit code {code}" for code in codes[victims:] if code]
        for folder in run_folders(place):
            told = [json.loads(line)["event"] for line in lines(folder / "events.jsonl")]
            trial.setdefault("started", {})[folder.name.rsplit("-", 2)[0]] = told.count("started")
            if not victims and (told.count("started"), told.count("done")) != (1, 1):
                wrong.append(f"{folder.name}: {told}")
        yield finished(lab, place, trial, wrong)


def finished(lab: Lab, place: Path, trial: Trial, wrong: list[str] | None = None, keep: bool = False) -> Trial:
    """Run once more, undisturbed, and say what is not as it should be."""
    code = lab.run(place)
    said = (place / "log").read_text()
    trial["wrong"] = [
        *(wrong or []),
        *([f"the last exit code is {code}: {said[-600:]}"] if code else lab.faults(place)),
    ]
    if not keep and not trial["wrong"]:
        shutil.rmtree(place)
    return trial


def flip(path: Path, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    at = rng.randrange(len(data))
    data[at] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def last_line(place: Path) -> str:
    told = (place / "witness").read_text().splitlines()
    return told[-1] if told else "0 none /"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["kills", "writes", "damage", "crowd"], nargs="+")
    parser.add_argument("--count", type=int, nargs="+", default=[0, 0, 0, 0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--near", default="", help="writes: only calls whose line has this in it, such as /features/")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(Path(folder), options.near)
        lab.warm()
        print(json.dumps({"seed": options.seed, "calls": len(lab.calls), "seconds": round(lab.took, 2)}), flush=True)
        bad = 0
        for position, what in enumerate(options.what):
            for trial in globals()[what](lab, options.count[position], rng):
                bad += bool(trial["wrong"])
                print(json.dumps({"what": what, **trial}), flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
