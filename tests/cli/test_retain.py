"""What `export` says of a run that kept no weights is what brings them back."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from dalr_bench.cli.main import main
from dalr_bench.record.events import read_events

TINY = Path(__file__).parents[1] / "suites" / "tiny.yaml"


def call(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str]:
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    return int(left.value.code or 0), capsys.readouterr().err


def test_weights_that_were_not_kept_come_back_as_export_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results"
    command = ["run", TINY, "--results", results, "--only", "untrained", "--seed", "0", "--executor", "inline"]
    assert call(capsys, *command, "--retain", "none")[0] == 0
    (folder,) = (results / "tiny").glob("untrained-*")
    begun = read_events(folder)
    export = ["export", results / "tiny", "untrained", "--seed", "0", "--to", tmp_path / "model"]

    code, told = call(capsys, *export)
    assert code == 4
    assert call(capsys, *command)[0] == 0  # a finished run is never run again, so this alone does not help
    assert read_events(folder) == begun
    assert call(capsys, *export) == (code, told)

    said = re.search(r"remove the folder (\S+) and give its `run` command again, without --retain none", told)
    assert said
    assert Path(said[1]) == folder
    shutil.rmtree(said[1])
    assert call(capsys, *command)[0] == 0
    assert call(capsys, *export)[0] == 0
    assert (tmp_path / "model" / "model.safetensors").is_file()
