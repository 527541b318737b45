"""Equal cells of two suites: computed once, taken over, and good for everything a run is good for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dalr_bench.cli.main import main
from dalr_bench.train import weights

TINY = Path(__file__).parent / "suites" / "tiny.yaml"
OTHER = f"""
extends: {TINY}
suite: other
seeds: [0]
ablate:
  untrained: null
  baseline: null
  ranked: null
  plain: {{}}
  hotter: {{losses.info.temperature: 0.1}}
"""


def call(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return int(left.value.code or 0), captured.out, captured.err


def records(folder: Path) -> dict[str, dict[str, Any]]:
    found = (json.loads(path.read_text()) for path in folder.glob("*/record.json"))
    return {record["variant"]: record for record in found}


def test_a_cell_that_another_suite_has_done_is_not_done_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results"
    code, _, err = call(
        capsys, "run", TINY, "--results", results, "--only", "baseline", "--seed", "0", "--executor", "inline"
    )
    assert code == 0, err
    (tmp_path / "other.yaml").write_text(OTHER)
    code, out, err = call(capsys, "run", tmp_path / "other.yaml", "--results", results, "--executor", "inline")
    assert code == 0, err
    assert "2 taken over from other suites" in err  # baseline, and the teacher it needs
    assert "plain" in out
    first, second = records(results / "tiny"), records(results / "other")
    assert set(second) == {"plain", "hotter", "picture teacher"}
    taken, made = second["plain"], first["baseline"]
    assert taken["origin"] == {"suite": "tiny", "run_id": made["run_id"]}
    assert "origin" not in second["hotter"]
    assert taken["run_id"] != made["run_id"]
    assert (taken["identity"], taken["scores"], taken["weights"]) == (made["identity"], made["scores"], made["weights"])
    # The copy is whole: its weights are those, it exports, and the suite's table and report are made of it.
    assert weights.digest(results / "other" / taken["run_id"]) == made["weights"]
    code, _, err = call(capsys, "export", results / "other", "plain", "--to", tmp_path / "model")
    assert code == 0, err
    assert (tmp_path / "model" / "model.safetensors").is_file()
    assert call(capsys, "report", results / "other", "--out", tmp_path / "r.html")[0] == 0
    assert json.loads(call(capsys, "status", results / "other", "--json")[1])["total"] == {"runs": 3, "done": 3}


def test_another_default_is_another_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default of an option, of the trainer and of a component, counts as if it had been written."""
    from pydantic.fields import FieldInfo

    from dalr_bench.config import TrainOptions
    from dalr_bench.plugin.manager import load
    from dalr_bench.suite import expand
    from dalr_bench.suite import load as load_suite

    def identity() -> str:
        plan = expand(load_suite(TINY), load().catalogue, ["baseline"], [0])
        return plan.identities[plan.cells[0].run]

    before = identity()
    assert identity() == before

    def changed(field: FieldInfo, value: Any) -> str:
        old = field.default
        field.default = value
        TrainOptions.model_rebuild(force=True)
        try:
            return identity()
        finally:
            field.default = old
            TrainOptions.model_rebuild(force=True)

    assert changed(TrainOptions.model_fields["clip"], 2.0) != before
    assert changed(TrainOptions.model_fields["eps"], 1e-7) != before
    from dalr_bench_plugins.losses import infonce

    monkeypatch.setattr(
        infonce.InfoNce.__init__, "__defaults__", _with(infonce.InfoNce.__init__.__defaults__, 0.05, 0.06)
    )
    assert identity() != before


def _with(defaults: Any, old: float, new: float) -> tuple[Any, ...]:
    assert old in defaults
    return tuple(new if value == old else value for value in defaults)
