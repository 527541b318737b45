"""The two strangers of the repository, in a fresh environment and from their own folders: installed, tested, checked, trained."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from fresh_venv import Venv, fresh_venv

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = {"example-teacher": "letter-groups", "example-loss": "decorrelation"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Venv, Path]:
    """Copies of their folders, so that the checkout stays as it is, installed as anybody would."""
    root = tmp_path_factory.mktemp("strangers")
    for folder in EXAMPLES:
        shutil.copytree(
            ROOT / "plugins" / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__", ".*cache")
        )
    venv = fresh_venv(root / "venv")
    venv.install(*(root / folder for folder in EXAMPLES))
    return venv, root


@pytest.mark.parametrize("folder", EXAMPLES)
def test_their_own_tests_pass(folder: str, place: tuple[Venv, Path]) -> None:
    done = place[0].run("pytest", "-q", "-p", "no:cacheprovider", "-k", "not contract", cwd=place[1] / folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 deselected" in done.stdout


def test_they_keep_the_contract(place: tuple[Venv, Path]) -> None:
    done = place[0].run("dalr-bench", "plugins", "check", "--json", cwd=place[1])
    assert done.returncode == 0, done.stdout + done.stderr
    subjects = [verdict["subject"] for verdict in json.loads(done.stdout)["verdicts"]]
    assert subjects == [
        "decorrelation of decorrelation 0.1.0",
        "loss/decorrelation",
        "letter_groups of letter-groups 0.1.0",
        "teacher/letter_groups",
    ]


def test_a_suite_that_uses_both_trains(place: tuple[Venv, Path]) -> None:
    venv, root = place
    line = [
        "dalr-bench",
        "run",
        "example-loss/suite.yaml",
        "--results",
        "out",
        "--executor",
        "inline",
        "--device",
        "cpu",
    ]
    done = venv.run(*line, cwd=root)
    assert done.returncode == 0, done.stdout + done.stderr
    records = [json.loads(path.read_text()) for path in (root / "out").rglob("record.json")]
    assert sorted(record["variant"] for record in records) == ["baseline", "both"]
    both = next(record for record in records if record["variant"] == "both")
    assert both["status"] == "done"
    assert {"letter-groups": "0.1.0", "decorrelation": "0.1.0"}.items() <= both["environment"]["plugins"].items()
    steps = next((root / "out").rglob(f"{both['run_id']}/steps.jsonl")).read_text().splitlines()
    assert all(name in json.loads(steps[-1]) for name in ("rank", "spread", "spread.variance"))
