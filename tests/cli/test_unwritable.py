"""What commands write where there is no room, or where nobody may write: one line, an exit code, nothing half written."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dalr_bench.cache import build_once
from dalr_bench.cache_folder import users
from dalr_bench.cli.main import main

SMALL = Path(__file__).parents[1] / "suites" / "small.yaml"
# prctl's PR_CAPBSET_DROP, and CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER.
_DROP, _PASSING_OVER = 24, (1, 2, 3)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a suite's results, one for what has no room and one that may not be written."""
    made = tmp_path_factory.mktemp("unwritable")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made)
        patch.setenv("DALR_BENCH_CACHE", str(made / "cache"))
        (made / "small.yaml").write_bytes(SMALL.read_bytes())
        (made / "full").mkdir()
        (made / "read only").mkdir(mode=0o555)
        with pytest.raises(SystemExit) as left:
            main(["run", "small.yaml", "--executor", "inline"])
        assert left.value.code == 0
        yield made


def without_rights() -> None:
    """To root nothing is read only, as long as it may pass over what the file system says."""
    if os.geteuid() == 0:
        for right in _PASSING_OVER:
            assert ctypes.CDLL(None).prctl(_DROP, right, 0, 0, 0) == 0


def ended(place: Path, *words: str, before: Callable[[], None]) -> tuple[int, str, str]:
    """The command in a process of its own; `before` is done in it first."""
    environment = os.environ | {"DALR_BENCH_CACHE": str(place / "cache")}
    command = [sys.executable, "-m", "dalr_bench", *words]
    done = subprocess.run(
        command, cwd=place, env=environment, preexec_fn=before, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def no_room() -> None:
    """Files hold a hundred bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))


WRITING = [
    ("table", "results/small", "--format", "html", "--out", "{}/t.html"),
    ("table", "results/small", "--format", "csv", "--out", "{}/t.csv"),
    ("report", "results/small", "--out", "{}/r.html"),
    ("report", "results/small", "--figures", "{}"),
    ("export", "results/small", "plain", "--to", "{}/model"),
    ("bundle", "results/small", "plain", "--out", "{}/b.zip"),
    ("plugins", "new", "loss", "mine", "--to", "{}/mine"),
]
NAMES = ["html", "csv", "report", "figures", "export", "bundle", "plugins new"]


@pytest.mark.parametrize("words", WRITING, ids=NAMES)
def test_a_disk_without_room(place: Path, words: tuple[str, ...]) -> None:
    code, out, said = ended(place, *(word.format("full") for word in words), before=no_room)
    assert (code, out) == (1, "")
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert said.endswith(": File too large\n")  # what the limit says; a disk says "No space left on device"
    named = words[-1].format("full")
    assert f"{named}/" in said or f"{named}:" in said, "it says what could not be written"
    assert "part" not in said
    assert not list((place / "full").iterdir())


@pytest.mark.parametrize("words", [*WRITING, ("run", "small.yaml", "--results", "{}")], ids=[*NAMES, "run"])
def test_a_folder_that_may_not_be_written(place: Path, words: tuple[str, ...]) -> None:
    code, out, said = ended(place, *(word.format("read only") for word in words), before=without_rights)
    assert (code, out) == (1, "")
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert said.endswith(": Permission denied\n")
    assert "read only" in said
    assert ".part" not in said
    assert not list((place / "read only").iterdir())


def test_scores_are_shown_where_they_cannot_be_written(place: Path) -> None:
    """A full disk does not take with it what was hours of work."""
    scoring = ("score", "scored", "--evaluators", "scenes", "--set", "scenes.pairs=50", "--set", "scenes.probes=false")
    assert ended(place, "export", "results/small", "plain", "--to", "scored", before=lambda: None)[0] == 0
    code, shown, said = ended(place, *scoring, before=lambda: None)
    assert code == 0, said
    assert "Scenes-STS" in shown
    code, out, said = ended(place, *scoring, "--out", "full/scores.json", before=no_room)
    assert (code, out) == (1, shown)
    assert said.splitlines()[-1].startswith("error: full/scores.json")
    assert not list((place / "full").iterdir())


def test_pruning_says_what_could_not_be_removed(place: Path) -> None:
    def build(folder: Path) -> None:
        (folder / "meta.json").write_text("{}")

    shutil.rmtree(place / "cache")
    folders = [build_once(place / "cache" / "tokens" / name, build) for name in ("one", "two")]
    for folder in folders:
        for mark in users(folder):  # this process has them open
            mark.unlink()
    names = {f"tokens/{folder.name}" for folder in folders}
    (place / "cache" / "tokens").chmod(0o555)
    code, out, said = ended(place, "cache", "prune", before=without_rights)
    assert code == 1
    assert out == "0 stores removed, 0.0 MB; 2 could not be removed\n"
    assert set(said.splitlines()) == {f"error: {name} cannot be removed: Permission denied" for name in names}
    assert all(folder.is_dir() for folder in folders)
    (place / "cache" / "tokens").chmod(0o755)
    code, out, said = ended(place, "cache", "prune", before=without_rights)
    assert (code, said) == (0, "")
    assert out.endswith("2 stores removed, 0.0 MB\n")
