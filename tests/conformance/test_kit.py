"""The kit's ways in: `conforms`, the command line, pytest; and that a good plugin passes all of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
import torch
from click.testing import CliRunner

from conformance.strangers import installed
from dalr_bench import PluginError, SuiteError, TrainingError
from dalr_bench.cli.plugins import command
from dalr_bench.conformance import conforms
from dalr_bench.conformance.contracts import CONTRACTS
from dalr_bench.conformance.options import sample_options
from dalr_bench.plugin.manager import load

GOOD = '''"""Length of a sentence."""
from __future__ import annotations
import torch
from dalr_bench import hookimpl

class Length:
    """Rows [N, 2]: `scale` times the number of letters, and 1."""
    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale
    def encode_text(self, sentences: list[str]) -> torch.Tensor:
        return torch.tensor([[self.scale * len(one), 1.0] for one in sentences])

@hookimpl
def register_teachers(register):
    register("length_of", Length)
'''


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    installed(folder, "measuring_stranger", GOOD)
    installed(
        folder,
        "bad_stranger",
        GOOD.replace("length_of", "bad_length").replace("float(", "").replace("1.0]", "float('nan')]"),
    )
    return folder


@pytest.fixture
def there(site: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))
    return site


def test_pytest_for_authors(there: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--pyargs", "dalr_bench.conformance"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 3 passed" in done.stdout
    assert "teacher.finite: row 0 of its rows is not finite" in done.stdout
    environment = {**os.environ, "DALR_BENCH_CHECK": "measuring-stranger"}
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_conforms_names_the_contract_and_the_input(there: Path) -> None:
    conforms("teacher/length_of", scale=2.0)
    with pytest.raises(AssertionError, match=r"teacher\.finite: row 0 of its rows is not finite \[input: one sentence"):
        conforms("teacher/bad_length")


def test_the_command_tells_what_is_kept_and_what_is_broken(there: Path) -> None:
    done = CliRunner().invoke(command, ["check", "bad_stranger"], standalone_mode=False)
    assert done.return_value == 3
    assert "  BROKEN teacher.finite: rows are finite for one sentence" in done.stdout
    assert "    input: one sentence: ['a dog runs']" in done.stdout
    assert "  not checked teacher.images: it has no encode_image" in done.stdout
    assert "ms of CPU a sentence" in done.stdout
    assert "bad_stranger of bad-stranger 1.0\n" in done.stdout


def test_a_name_nobody_has_and_an_option_nobody_can_guess() -> None:
    with pytest.raises(PluginError, match=r"no plugin or component is called 'infonec'\. Did you mean 'infonce'"):
        CliRunner().invoke(command, ["check", "infonec"], standalone_mode=False, catch_exceptions=False)
    with pytest.raises(SuiteError, match="expected KEY=VALUE"):
        CliRunner().invoke(
            command, ["check", "lines", "--option", "path"], standalone_mode=False, catch_exceptions=False
        )
    for wrong in (["--limit", "-1"], ["--limit", "nan"], ["--limit", "inf"], ["--device", "tpu"]):
        with pytest.raises(click.BadParameter):
            command.main(["check", "infonce", *wrong], standalone_mode=False)
    done = CliRunner().invoke(command, ["check", "source/lines", "--json"], standalone_mode=False)
    assert done.return_value == 2
    (finding,) = json.loads(done.stdout)["verdicts"][0]["findings"]
    assert finding["what"] == "needs path: give it with `--option path=VALUE`"


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a CUDA device")
def test_without_a_device_nothing_is_said_to_be_kept_on_it() -> None:
    with pytest.raises(TrainingError, match="no CUDA device is visible"):
        command.main(["check", "infonce", "--device", "cuda"], standalone_mode=False)


def test_no_stranger_is_nothing_to_check() -> None:
    done = CliRunner().invoke(command, ["check"], standalone_mode=False)
    assert (done.return_value, done.stdout) == (0, "no plugin but our own is installed\n")


def test_stand_ins_for_what_a_suite_would_name() -> None:
    catalogue = load().catalogue
    assert sample_options(catalogue, "loss", "ima", {})[0]["teacher"] == "teacher"
    assert sample_options(catalogue, "loss", "global_to_local", {})[0]["teachers"] == ["teacher", "other"]
    assert sample_options(catalogue, "loss", "infonce", {"temperature": -1})[1].startswith("option temperature:")


def test_contracts_have_plain_names() -> None:
    assert all(name == name.lower() and name.count(".") == 1 for name in CONTRACTS)
    assert all(promise and not promise.endswith(".") for promise in CONTRACTS.values())
