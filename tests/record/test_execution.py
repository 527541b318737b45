"""Settings of one attempt: beside the config, outside the identity, in the record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dalr_bench import DataError
from dalr_bench.record.execution import executed, read_execution, tell_processes, write_execution


def test_settings_take_the_place_of_the_configs(tmp_path: Path) -> None:
    config = {"seed": 1, "train": {"batch": 64, "micro_batch": None}}
    assert executed(config, tmp_path) == config
    write_execution(tmp_path, micro_batch=16)
    write_execution(tmp_path, gradient_checkpointing=True)
    assert read_execution(tmp_path) == {"micro_batch": 16, "gradient_checkpointing": True}
    assert executed(config, tmp_path)["train"] == {"batch": 64, "micro_batch": 16, "gradient_checkpointing": True}
    assert config["train"] == {"batch": 64, "micro_batch": None}


@pytest.mark.parametrize(
    ("content", "told"), [('{"micro_bach": 4}', "micro_batch"), ("[1]", "object"), ('{"micro', "execution.json")]
)
def test_bad_files_are_told_by_name(tmp_path: Path, content: str, told: str) -> None:
    (tmp_path / "execution.json").write_text(content)
    with pytest.raises(DataError, match=told) as caught:
        read_execution(tmp_path)
    assert "execution.json" in str(caught.value.faults[0])


def test_what_decides_a_number_cannot_be_set_here(tmp_path: Path) -> None:
    (tmp_path / "execution.json").write_text(json.dumps({"lr": 1.0}))
    with pytest.raises(DataError):
        read_execution(tmp_path)


def test_the_number_of_processes_is_told_and_sets_nothing(tmp_path: Path) -> None:
    tell_processes(tmp_path, 1)
    assert not (tmp_path / "execution.json").exists()
    write_execution(tmp_path, micro_batch=16)
    tell_processes(tmp_path, 2, "fsdp")
    assert read_execution(tmp_path) == {"micro_batch": 16, "processes": 2, "shard": "fsdp"}
    assert executed({"train": {"batch": 64}}, tmp_path) == {"train": {"batch": 64, "micro_batch": 16}}
    tell_processes(tmp_path, 1)
    assert read_execution(tmp_path) == {"micro_batch": 16, "processes": 1, "shard": None}
