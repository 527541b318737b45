"""The race: what a step needs by counting, clocks by hand, and one small race for real through the command."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from dalr_bench import TrainingError
from dalr_bench.cli.main import main
from dalr_bench.plugin.manager import load
from dalr_bench.racing.gate import Gate
from dalr_bench.racing.race import Raced, _Process, race
from dalr_bench.racing.result import document, lines
from dalr_bench.racing.setting import BARE, OURS, Setting, Wish, read
from dalr_bench.racing.work import RATE, needed
from dalr_bench_plugins.rivals import track

SENTENCES = [f"the {a} {b} {c}" for a in ("red", "big", "old") for b in ("dog sees", "cat") for c in ("it", "us today")]


def setting(folder: Path, **wish: Any) -> Setting:
    """Twelve sentences in two batches of six, a random model of two layers."""
    wished = Wish(shape=(2, 32, 2, 48), batch=6, max_length=12, **wish)
    texts = folder / "sentences.json"
    texts.write_text(json.dumps(SENTENCES))
    batches = [list(range(6)), list(range(6, 12))]
    return Setting(wished, sentences=str(texts), batches=batches, **track.prepare(wished, SENTENCES, folder))


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_needed_arithmetic_is_counted_sentence_by_sentence(tmp_path: Path, pooling: str) -> None:
    made = setting(tmp_path, pooling=pooling)
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(made.model)
    total = padded = 0
    for batch in made.batches:
        lengths = [len(tokenizer(SENTENCES[row])["input_ids"]) for row in batch]
        for layer in range(2):
            for length in lengths:
                last = layer == 1 and pooling == "cls"
                asked = 1 if last else length
                products = [32 * 32] * 4 + [32 * 48] * 2
                total += 2 * 3 * 2 * asked * sum(products)  # views, forward and twice back, multiply and add
                total += 0 if last else 2 * 3 * 2 * (2 * length * length * 32)
                padded += 2 * 3 * 2 * (max(lengths) * sum(products) + 2 * max(lengths) ** 2 * 32)
    work = needed(made)
    assert work.needed == total / 2
    assert work.padded == padded / 2
    assert work.needed < work.padded
    assert work.cut == 0


def test_a_setting_survives_its_file(tmp_path: Path) -> None:
    made = setting(tmp_path, teachers=2)
    made.write(tmp_path / "setting.json")
    assert read(tmp_path / "setting.json") == made
    assert list(made.losses) == ["contrast", "teacher0", "teacher1"]
    assert "sentence-transformers" not in made.rivals
    assert made.texts() == SENTENCES


def test_a_gate_times_laps_and_ends_when_told() -> None:
    out = io.StringIO()
    gate = Gate(torch.device("cpu"), io.StringIO("go\ngo\n"), out)
    gate.next()
    sum(range(200_000))
    gate.lap("forward")
    gate.next(torch.tensor(2.0))
    gate.lap("forward")
    with pytest.raises(SystemExit):
        gate.next()
    first, second = map(json.loads, out.getvalue().splitlines())
    assert set(first["parts"]) == {"forward", "other"}
    assert first["parts"]["forward"] > second["parts"]["forward"] >= 0
    assert first["loss"] == 2.0


def test_ratios_are_medians_of_rounds() -> None:
    def side(*seconds: float) -> list[dict[str, Any]]:
        return [{"parts": {"forward": s / 2, "backward": s / 2}, "loss": s, "peak_bytes": None} for s in seconds]

    steps = {OURS: side(1, 2, 4), BARE: side(1, 1, 4), "plain": side(3, 4, 4)}
    work = {"needed": 1e9, "padded": 2e9, "length": 9.5, "padded_length": 12.0, "cut": 0.25}
    found = document(Raced(Wish(batch=10, rounds=3), work, steps, [1e9, 2e9, 1e9]), {"torch": "x"})
    assert found["ratios"]["plain"]["median"] == 2
    assert found["ratios"]["plain"]["iqr"] == [1.5, 2.5]
    assert found["ratios"][f"{OURS} over {BARE}"]["rounds"] == [1, 2, 1]
    assert found["sides"][OURS]["samples_per_second"] == 5
    assert found["sides"][OURS]["mfu"] == pytest.approx(0.5)
    text = "\n".join(lines(found))
    assert "plain / ours" in text
    assert text.count("mean length 9.5") == 3  # beside every ratio, too


def test_a_small_race_through_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "lines.txt"
    data.write_text("\n".join(SENTENCES))
    options = ["--data", str(data), "--shape", "1x32x2x48", "--batch", "6", "--rounds", "2", "--warm-up", "1", "--json"]
    with pytest.raises(SystemExit) as left:
        main(["bench", "train", *options])
    assert left.value.code == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["sides"]) == {OURS, "papers' loop", "sentence-transformers"}
    for side in found["sides"].values():
        assert len(side["seconds"]["rounds"]) == 2
        assert min(side["seconds"]["rounds"]) > 0
        assert all(side["parts"][part] > 0 for part in ("tokenise", "forward", "backward", "clip+optimizer"))
        assert 0 < side["mean_loss"] < 5
    losses = [side["mean_loss"] for side in found["sides"].values()]
    assert max(losses) - min(losses) < 0.5  # one model, one order of batches, other dropout draws
    assert found["wish"]["their_precision"] == "fp32"


def test_sides_take_turns_to_and_fro(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[str] = []
    step = _Process.step

    def noted(side: _Process) -> Any:
        turns.append(side.name)
        return step(side)

    data = tmp_path / "lines.txt"
    data.write_text("\n".join(SENTENCES))
    monkeypatch.setattr(_Process, "step", noted)
    monkeypatch.setattr(track, "_LIBRARY", {})
    told: list[str] = []
    raced = race(Wish(shape=(1, 32, 2, 48), batch=6, rounds=2, warm_up=1), data, load().catalogue, told.append)
    assert told == ["warming up, 1 of 1", "round 1 of 2", "round 2 of 2"]
    assert {len(rows) for rows in raced.steps.values()} == {2}
    assert len(raced.rates) == 2
    theirs = "papers' loop"
    assert turns == [OURS, theirs, RATE, theirs, OURS, RATE, OURS, theirs, RATE]


@pytest.mark.slow
def test_a_race_with_two_teachers_in_bf16_without_any_data() -> None:
    wish = Wish(batch=16, rounds=2, teachers=2, precision="bf16", pooling="mean")
    raced = race(wish, None, load().catalogue)
    assert set(raced.steps) == {OURS, BARE, "papers' loop"}
    losses = {name: rows[0]["loss"] for name, rows in raced.steps.items()}
    assert losses[OURS] == pytest.approx(losses["papers' loop"], rel=0.1)
    assert losses[BARE] < losses[OURS]  # two terms fewer


def test_a_side_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "lines.txt"
    data.write_text("\n".join(SENTENCES))
    monkeypatch.setattr(track, "_RIVALS", {"broken": "no.such.module"})
    monkeypatch.setattr(track, "_LIBRARY", {})
    with pytest.raises(TrainingError, match="the side 'broken' ended: ModuleNotFoundError"):
        race(Wish(shape=(1, 32, 2, 48), batch=6, rounds=1), data, load().catalogue)


@pytest.mark.parametrize("shape", ["12x768", "0x1x1x1", "axbxcxd"])
def test_a_shape_that_is_none_is_told(shape: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["bench", "train", "--shape", shape])
    assert left.value.code == 2
    assert "is not four whole numbers" in capsys.readouterr().err
