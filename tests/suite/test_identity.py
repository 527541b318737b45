"""What makes two cells one run, and what makes them two."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dalr_bench.errors import SuiteError
from dalr_bench.plugin.registry import Catalogue
from dalr_bench.suite import Plan, expand, fingerprint, load
from dalr_bench.types import DataPath

PlanOf = Callable[..., Plan]


def identity(plan: Plan) -> str:
    (run,) = plan.runs
    return plan.identities[run.id]


def test_names_comments_and_the_order_of_keys_do_not_count(base: str, plan_of: PlanOf) -> None:
    two = base.replace("losses: {info: contrast}", "losses: {info: contrast, more: contrast}")
    first = identity(plan_of(two))
    for text in (
        two.replace("suite: small", "suite: other\ntitle: Another"),
        "# a comment\n" + two,
        two.replace("{info: contrast, more: contrast}", "{more: {name: contrast, temperature: 0.05}, info: {weight: 1.0, name: contrast}}"),
        two + "ablate: {renamed: {}}\n",
        two + "grid: {axis: {label: {train.lr: 3e-5}}}\nsmoke: {}\n",
    ):  # fmt: skip
        assert identity(plan_of(text, smoke="smoke" in text)) == first


@pytest.mark.parametrize(
    ("old", "new"),
    [("steps: 5", "steps: 6"), ("info:", "other:"), ("tiny", "{name: tiny, dim: 9}"), ("quiz", "dev_quiz"), ("suite", "seeds: [1]\nsuite")],
)  # fmt: skip
def test_values_labels_of_parts_and_the_seed_count(base: str, plan_of: PlanOf, old: str, new: str) -> None:
    assert identity(plan_of(base.replace(old, new, 1))) != identity(plan_of(base))


def test_the_order_of_streams_counts(base: str, plan_of: PlanOf) -> None:
    one, other = (
        base.replace("{text: lines}", streams) for streams in ("{a: lines, b: lines}", "{b: lines, a: lines}")
    )
    assert identity(plan_of(one)) != identity(plan_of(other))


def test_a_changed_default_and_another_version_count(
    base: str, write: Callable[..., Path], versioned: Callable[[str], Catalogue]
) -> None:
    class Changed:
        def __init__(self, dim: int = 16, pooling: str = "cls") -> None: ...

    suite = load(write(base))
    changed = versioned("1.0")
    del changed.components["backbone", "tiny"]
    changed.add("backbone", "tiny", Changed, "fake", "1.0")
    plans = [expand(suite, catalogue) for catalogue in (versioned("1.0"), versioned("1.0"), versioned("1.1"), changed)]
    same, again, newer, other = map(identity, plans)
    assert same == again
    assert len({same, newer, other}) == 3


def test_data_counts_by_content_not_by_name(base: str, write: Callable[..., Path], plan_of: PlanOf) -> None:
    write("one\ntwo\n", "a.txt")
    write("one\ntwo\n", "b.txt")
    named = {name: base.replace("text: lines", f"text: {{name: lines, path: {name}}}") for name in ("a.txt", "b.txt")}
    plan = plan_of(named["a.txt"])
    assert plan.runs[0].config["streams"]["text"]["options"]["path"] == os.path.abspath("a.txt")
    assert identity(plan_of(named["b.txt"])) == identity(plan)
    write("one\n2\n", "a.txt")
    assert identity(plan_of(named["a.txt"])) != identity(plan)


def test_a_needed_run_counts_by_what_it_is(base: str, plan_of: PlanOf) -> None:
    def taught(variant: str, rate: float) -> str:
        plan = plan_of(
            base + f"support: {{{variant}: {{train.lr: {rate}}}}}\n"
            f"ablate: {{x: {{losses.r: {{name: ranking, teacher: t}}, teachers.t: {{name: run, variant: {variant}}}}}}}\n"
        )
        return plan.identities[plan.cells[0].run]

    assert taught("a", 0.1) == taught("b", 0.1)
    assert taught("a", 0.1) != taught("a", 0.2)


def test_paths_are_found_beside_their_file_then_in_the_data_folder_then_here(
    base: str, write: Callable[..., Path], catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = base.replace("text: lines", "text: {name: lines, path: a.txt}")
    write(text, "suites/parent.yaml")
    suite = write("extends: ../suites/parent.yaml\nsuite: child\n", "other/child.yaml")

    def found() -> str:
        return str(expand(load(suite), catalogue).runs[0].config["streams"]["text"]["options"]["path"])

    write("3", "a.txt")
    assert found() == str(tmp_path / "a.txt")
    write("2", "data/a.txt")
    monkeypatch.setenv("DALR_BENCH_DATA", str(tmp_path / "data"))
    assert found() == str(tmp_path / "data" / "a.txt")
    write("1", "suites/a.txt")
    assert found() == str(tmp_path / "suites" / "a.txt")


def test_a_model_is_found_beside_its_suite_from_wherever_the_command_is_given(
    base: str, write: Callable[..., Path], catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Reader:
        def __init__(self, model: str = "") -> None: ...

        requires = staticmethod(lambda options: [])

    catalogue.add("backbone", "reader", Reader, "fake", "1.0")
    text = base.replace("tiny", "{name: reader, model: %s}")
    for folder, weights in (("one", "a"), ("two", "b")):
        write(text % "mine", f"{folder}/x.yaml")
        write("{}", f"{folder}/mine/config.json")
        write(weights, f"{folder}/mine/model.safetensors")

    def seen(path: str) -> tuple[str, str]:
        plan = expand(load(path), catalogue)
        return plan.runs[0].config["backbone"]["options"]["model"], identity(plan)

    assert seen("one/x.yaml")[0] == str(tmp_path / "one" / "mine")
    assert seen("two/x.yaml")[0] == str(tmp_path / "two" / "mine")
    from_afar = seen("one/x.yaml")[1]
    assert from_afar != seen("two/x.yaml")[1]
    monkeypatch.chdir(tmp_path / "one")
    assert seen("x.yaml") == ("mine", from_afar)  # named as it was written where the working folder has it
    write("suite: y\nextends: ../one/x.yaml\n", "../two/y.yaml")
    assert seen("../two/y.yaml")[1] == from_afar  # beside the file that names it
    for name in ("org/mine", "package:mine", "''"):
        write(text % name, "z.yaml")
        assert seen("z.yaml")[0] == name.strip("'")


def test_a_fingerprint_follows_content_through_the_cache(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "inner" / "a.txt"
    path.parent.mkdir(parents=True)
    (tmp_path / "folder" / "b.txt").write_text("b")

    def at(content: str, seconds: int) -> str:
        path.write_text(content)
        os.utime(path, (seconds, seconds))
        return fingerprint(tmp_path / "folder")

    first = at("one", 1000)
    assert at("two", 2000) != first
    assert at("one", 3000) == first
    # Equal size and time: the remembered hash is believed, which is what makes the next plan instant.
    assert at("six", 3000) == first
    assert len(list((tmp_path / "cache" / "fingerprints").iterdir())) == 1
    path.rename(path.with_name("c.txt"))
    assert fingerprint(tmp_path / "folder") != first


def test_a_link_in_a_circle_ends(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a").write_text("a")
    before = fingerprint(tmp_path / "d")
    (tmp_path / "d" / "loop").symlink_to(tmp_path / "d")
    assert fingerprint(tmp_path / "d") == before


def test_the_fixture_uses_the_public_marker(catalogue: Catalogue) -> None:
    """A DataPath is what a plugin's author writes; were it lost, the tests above would compare path texts."""
    assert DataPath.__metadata__  # type: ignore[attr-defined]
    assert set(catalogue.components["source", "lines"].markers) == {"path"}


@pytest.mark.parametrize(
    "setting", ["micro_batch: 3", "gradient_checkpointing: true", "account_every: 0", "gradients_every: 5"]
)
def test_how_a_step_is_carried_out_or_looked_at_does_not_count(base: str, plan_of: PlanOf, setting: str) -> None:
    other = base.replace("steps: 5", f"steps: 5, {setting}")
    assert other != base
    assert identity(plan_of(other)) == identity(plan_of(base))


def test_a_variant_that_is_only_looked_at_in_another_way_is_a_slip(base: str, plan_of: PlanOf) -> None:
    with pytest.raises(SuiteError, match="this diff changes nothing"):
        plan_of(base + "ablate: {a: {train.gradients_every: 7}}\n")


def test_rows_in_half_precision_are_another_run_and_the_default_is_the_old_one(base: str, plan_of: PlanOf) -> None:
    asked = {rows: base.replace("steps: 5", f"steps: 5, teacher_rows: {rows}") for rows in ("fp32", "fp16")}
    assert identity(plan_of(asked["fp32"])) == identity(plan_of(base))
    assert identity(plan_of(asked["fp16"])) != identity(plan_of(base))


def test_compiled_steps_are_another_run_and_the_default_is_the_old_one(base: str, plan_of: PlanOf) -> None:
    asked = {mode: base.replace("steps: 5", f"steps: 5, compile: {mode}") for mode in ("none", "default", "graphs")}
    assert identity(plan_of(asked["none"])) == identity(plan_of(base))
    assert len({identity(plan_of(text)) for text in asked.values()}) == 3


def test_the_precision_of_training_is_part_of_what_a_run_is(base: str, plan_of: PlanOf) -> None:
    asked = {name: base.replace("steps: 5", f"steps: 5, precision: {name}") for name in ("fp32", "bf16", "auto")}
    assert len({identity(plan_of(text)) for text in asked.values()}) == 3
