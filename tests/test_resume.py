"""A run that is stopped anywhere and goes on ends as one that nobody disturbed: weights, curve, scores, to the bit."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dalr_bench.cli.main import main
from dalr_bench.process import myself
from dalr_bench.record.events import read_events
from dalr_bench.record.lease import Lease, leases
from dalr_bench.record.store import state
from dalr_bench.telling import Teller
from dalr_bench.train import weights

TINY = Path(__file__).parent / "suites" / "tiny.yaml"
# What two runs of one machine may differ in: when, where, how long, how much memory the process had had by then.
APART = ("seconds", "environment", "bytes", "costs")

SUITE = f"""extends: {TINY}
suite: resumed
seeds: [0]
base:
  streams: {{words: {{name: scenes, scenes: 20, captions: 2, seed: 5}}}}
  losses: {{grounding: {{on: [pairs]}}}}
  train: {{steps: 7, dev_every: 3, log_every: 4, mix: every, every: 2}}
ablate:
  two streams: {{}}
  replaced: {{losses.replaced: {{name: replaced_token, weight: 0.1, layers: 1, heads: 2}}}}
"""


class Killed(BaseException):
    """Passes every handler a process has, as SIGKILL does; tests/faults kills for good."""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _shared_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DALR_BENCH_CACHE", str(cache))


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("suite") / "resumed.yaml"
    path.write_text(SUITE)
    return path


def run(suite: Path, results: Path, variant: str, *more: str) -> int:
    line = ["run", str(suite), "--results", str(results), "--executor", "inline", "--only", variant]
    with pytest.raises(SystemExit) as left:
        main([*line, *more])
    return int(left.value.code or 0)


def folder(results: Path, variant: str) -> Path:
    return next((results / "resumed").glob(f"{variant.replace(' ', '_')}-*"))


def outcome(run_folder: Path) -> dict[str, Any]:
    record = json.loads((run_folder / "record.json").read_text())
    steps = [json.loads(line) for line in (run_folder / "steps.jsonl").read_text().splitlines()]
    return {
        "record": {key: value for key, value in record.items() if key not in APART},
        "seconds by part": sorted(record["seconds"]),
        "curve": [{key: value for key, value in line.items() if key != "seconds"} for line in steps],
        "weights": weights.digest(run_folder),
        "predictions": {path.name: path.read_bytes() for path in (run_folder / "predictions").iterdir()},
    }


@pytest.fixture(scope="module")
def undisturbed(suite: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    results = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DALR_BENCH_CACHE", str(cache))
        assert run(suite, results, "*", "--checkpoint-every", "never") == 0
    return {name: outcome(folder(results, name)) for name in ("baseline", "replaced")}


@contextmanager
def deadly(told: str, at: int) -> Iterator[None]:
    """The process ends when its run tells this of that step."""
    tell: Callable[..., None] = getattr(Teller, told)

    def dying(self: Teller, *arguments: Any, **values: Any) -> None:
        tell(self, *arguments, **values)
        step = arguments[0] if told == "step" else values.get("step")
        if step == at and not self.run_id.startswith(("text", "picture")):
            raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Teller, told, dying)
        yield


# The baseline has two streams, a joint space and selection on dev data; `replaced` a network and a generator of its own.
# The log is written at steps 4 and 7 and before every dev check (3, 6, 7): a step is told when its line is.
@pytest.mark.parametrize("variant", ["baseline", "replaced"])
@pytest.mark.parametrize(
    ("every", "deaths", "resumed"),
    [
        ("1steps", [("step", 1)], [0]),
        ("2steps", [("step", 4), ("step", 6)], [2, 4]),
        ("2steps", [("event", 3)], [2]),
        ("3steps", [("step", 7), ("step", 7), ("event", 7)], [6, 6, 6]),
        ("never", [("step", 5)], [0]),
    ],
    ids=[
        "before the first checkpoint",
        "twice in an epoch",
        "at a dev check",
        "at the last step, again",
        "no checkpoint",
    ],
)
def test_killed_and_run_again(
    suite: Path,
    tmp_path: Path,
    undisturbed: dict[str, dict[str, Any]],
    variant: str,
    every: str,
    deaths: list[tuple[str, int]],
    resumed: list[int],
) -> None:
    for told, at in deaths:
        with deadly(told, at), pytest.raises(Killed):
            run(suite, tmp_path, variant, "--checkpoint-every", every)
    assert run(suite, tmp_path, variant, "--checkpoint-every", every) == 0
    found = folder(tmp_path, variant)
    assert outcome(found) == undisturbed[variant]
    events = [event for event in read_events(found) if event["event"] != "checkpoint"]
    assert [event.get("step", 0) for event in events if event["event"] == "resumed"] == [s for s in resumed if s]
    assert [event["event"] for event in events].count("done") == 1
    assert not (found / "checkpoints").exists()
    assert not [path for path in found.rglob("*") if path.name.endswith(".part") or path.name.startswith("lease-")]


def test_whose_lease_was_taken_over_stops_and_writes_nothing(
    suite: Path, tmp_path: Path, undisturbed: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """This process was held up for so long that another machine took the run over; it notices at its next step."""
    tell = Teller.step

    def losing(self: Teller, step: int, *rest: Any) -> None:
        tell(self, step, *rest)
        if step == 3 and self.run_id.startswith("baseline"):
            place = folder(tmp_path, "baseline")
            (place / "lease-9.json").write_text(json.dumps({**myself(), "host": "elsewhere"}))
            assert not held[-1].is_mine()

    held: list[Lease] = []
    begin = Lease.__post_init__
    with monkeypatch.context() as patch:
        patch.setattr(Lease, "__post_init__", lambda self: (held.append(self), begin(self))[1])
        patch.setattr(Teller, "step", losing)
        assert run(suite, tmp_path, "baseline", "--checkpoint-every", "1steps") == 1
    place = folder(tmp_path, "baseline")
    assert not (place / "record.json").exists()
    assert leases(place)[-1].name == "lease-9.json"
    assert state(place) == "running"  # there, not here
    for path in place.glob("lease-*"):
        path.unlink()
    assert run(suite, tmp_path, "baseline") == 0
    assert outcome(place) == undisturbed["baseline"]
