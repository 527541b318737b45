"""Whatever is wrong with a suite is told at once, each fault with its place, what was expected and the nearest name."""

# ruff: noqa: E501 (suites and whole lines of output are compared as they are)

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dalr_bench import DataError, PluginError, SuiteError, UserError
from dalr_bench.plugin.registry import Catalogue
from dalr_bench.suite import Plan, expand, load

PlanOf = Callable[..., Plan]

WRONG = """\
suite: a/b
sedes: [0]
seeds: [0, -1, 0, x, true]
base:
  backbone: {name: tiny, dim: 0, poling: cls}
  streams: {text: {name: lines, path: nowhere.txt}}
  teachers:
    rank: {name: mixed, of: [rank]}
    gone: {name: run, variant: nobody}
  losses:
    info: {name: contrast, weight: heavy, on: [txt]}
    rank: {name: ranking, teacher: rnak}
    blend: {name: ranking, teacher: rank}
    run: {name: ranking, teacher: gone, space: inf}
    sharp: {temperature: 1}
    other: [contrast]
    far: contrst
    a.b: contrast
  train: {epochs: 1, steps: 5, dev: quiz}
  evaluate: [quiz, {nam: quiz}]
  evluate: []
ablate:
  plain: {}
  nothing: {train.steps: 5}
  nowhere: {losses.cma.weight: 2, trian.lr: 1, losses.none: null}
  list: [plain, palin, {train.lr: 0.1}, {train.lr: 0.1}]
  circle: [circle]
  twice: {train.lr: 1.0, train: {lr: 2.0}}
  ../up: {train.lr: 0.2}
grid:
  losses.info.temperature: [0.1, 0.2, 0.10]
  speed: [1, 2]
  empty: []
  losses.nobody.tau: [1.0, 2.0]
exclude: [{variant: nobody}, {tau: 1}]
expect: {nobody: {quiz.avg: high}}
"""
TOLD = """\
x.yaml:1:8 suite: a name holds no path separators and no '..'
x.yaml:2:1 sedes: a suite has no such key. Did you mean 'seeds'? Known: ablate, base, exclude, expect, extends, generate, grid, groups, seeds, smoke, suite, support, title, zip.
x.yaml:3:12 seeds.1: expected a whole number from 0 to 4294967295, got -1
x.yaml:3:16 seeds.2: seed 0 is given twice
x.yaml:3:19 seeds.3: expected a whole number from 0 to 4294967295, got x
x.yaml:3:22 seeds.4: expected a whole number from 0 to 4294967295, got true
x.yaml:5:31 backbone.dim: Input should be greater than or equal to 1, got 0
x.yaml:5:34 backbone.poling: backbone 'tiny' has no such option. Did you mean 'pooling'? Known: dim, pooling.
x.yaml:6:39 streams.text.path: there is no file or folder 'nowhere.txt'; looked for HERE/nowhere.txt
x.yaml:8:11 teachers.rank: made of itself, in the end: rank
x.yaml:9:32 teachers.gone.variant: no variant is called 'nobody'. Known: ../up, circle, list, nothing, nowhere, plain, twice.
x.yaml:11:36 losses.info.weight: Input should be a valid number, got 'heavy'
x.yaml:12:36 losses.rank.teacher: no teacher is called 'rnak'. Did you mean 'rank'? Known: gone, rank.
x.yaml:14:48 losses.run.space: no loss is called 'inf'. Did you mean 'info'? Known: a.b, blend, far, info, other, rank, run, sharp.
x.yaml:15:12 losses.sharp: `name` is missing: which loss is it?
x.yaml:16:12 losses.other: expected the name of the loss, or a map with `name` and its options
x.yaml:17:10 losses.far.name: no loss is called 'contrst'. Did you mean 'contrast'? Known: contrast, ranking.
x.yaml:18:5 losses.a.b: a label has no dots; they separate the steps of a path
x.yaml:19:19 train.epochs: give either `steps` or `epochs`; `null` takes one away
x.yaml:19:29 train.steps: give either `steps` or `epochs`; `null` takes one away
x.yaml:19:37 train.dev: a checkpoint is never chosen on the 'test' split; expected `split: dev` (or train)
x.yaml:20:20 evaluate.1: `name` is missing: which evaluator is it?
x.yaml:21:3 base.evluate: a run has no such section. Did you mean 'evaluate'? Known: backbone, evaluate, losses, streams, teachers, train.
x.yaml:24:3 ablate.nothing: this diff changes nothing: every run of it equals the base
x.yaml:25:13 ablate.nowhere.losses.cma: there is no 'cma' to change here; give its `name` to add it. Known: a.b, blend, far, info, other, rank, run, sharp.
x.yaml:25:35 ablate.nowhere.trian.lr: a run has no such section. Did you mean 'train'? Known: backbone, evaluate, losses, streams, teachers, train.
x.yaml:25:48 ablate.nowhere.losses.none: there is no 'none' to delete here. Known: a.b, blend, far, info, other, rank, run, sharp.
x.yaml:26:17 ablate.list.1: no diff is called 'palin'. Did you mean 'plain'? Known: ../up, circle, list, nothing, nowhere, plain, twice.
"""


def told(plan_of: PlanOf, text: str, kind: type[UserError] = SuiteError) -> str:
    with pytest.raises(kind) as error:
        plan_of(text)
    assert type(error.value) is kind
    return str(error.value)


def test_all_faults_of_a_file_at_once(plan_of: PlanOf, tmp_path: Path) -> None:
    lines = told(plan_of, WRONG).replace(str(tmp_path), "HERE").splitlines()
    for line in TOLD.splitlines():
        assert line in lines
    assert [line.split(" ")[1].rstrip(":") for line in lines if line not in TOLD] == [
        "train.steps",
        "ablate.nowhere",
        "ablate.list.3",
        "ablate.circle.0",
        "ablate.twice.train.lr",
        "ablate.../up",
        "grid.losses.info.temperature.2",
        "grid.speed",
        "grid.empty",
        "losses.nobody",
        "losses.nobody.tau",
        "exclude.0",
        "exclude.1.tau",
        "expect.nobody",
        "expect.nobody.quiz.avg",
    ]


def test_the_kind_of_all_faults_decides_the_exit_code(base: str, plan_of: PlanOf, tmp_path: Path) -> None:
    plugin = base.replace("backbone: tiny", "backbone: huge")
    assert told(plan_of, plugin, PluginError) == "x.yaml:3:13 backbone.name: no backbone is called 'huge'. Known: tiny."
    data = base.replace("text: lines", "text: {name: lines, path: a.txt}")
    assert told(plan_of, data, DataError) == (
        f"x.yaml:4:39 streams.text.path: there is no file or folder 'a.txt'; looked for {tmp_path}/a.txt"
    )
    both = told(plan_of, plugin.replace("text: lines", "text: {name: lines, path: a.txt}"), SuiteError)
    assert len(both.splitlines()) == 2


def test_a_broken_plugin_is_named(base: str, write: Callable[..., Path], catalogue: Catalogue) -> None:
    catalogue.broken["theirs of some-plugin 2.0"] = "ImportError: no"
    with pytest.raises(
        PluginError, match=r"Set aside because they are broken: theirs of some-plugin 2\.0 \(ImportError: no\)"
    ):
        expand(load(write(base.replace("backbone: tiny", "backbone: huge"))), catalogue)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("ablate: {a: {train.lr: 0.1}}\ngrid: {train.lr: [0.2, 0.3]}\n",
         "x.yaml:8:10 ablate.a: this diff changes nothing: every run of it equals the base"),
        ("grid: {train.steps: [5]}\n", "x.yaml:8:8 train.steps: this axis changes nothing: no run depends on its value"),
        ("grid: {t: {a: {losses.infos.temperature: 0.1}, b: {train.lr: 0.1}}}\n",
         "x.yaml:8:16 losses.infos: no variant has 'infos' here. Did you mean 'info'? Known: info."),
        ("grid: {}\n", "x.yaml:8:7 grid: expected at least one axis: `PATH: [value, ...]` or `NAME: {label: diff, ...}`"),
        ("seeds: []\n", "x.yaml:8:8 seeds: expected a list of at least one seed, e.g. [0, 1, 2]"),
        ("zip: [{train.lr: [0.1, 0.2], train.batch: [4]}]\n",
         "x.yaml:8:7 zip.0: values in lockstep are equally many; train.lr has 2, train.batch has 1"),
        ("ablate: {a: {teachers.t: {name: frozen, model: m}}}\n",
         "x.yaml:8:10 ablate.a: this diff changes nothing: every run of it equals the base"),
        ("ablate: {a: 3}\n", "x.yaml:8:13 ablate.a: expected a diff (a map of dotted paths), or a list of names of diffs"),
        ("ablate: {a: {train.lr..x: 1}}\n", "x.yaml:8:14 ablate.a.train.lr..x: a dotted path has no empty parts, and not more than 20"),
        ("exclude: [{variant: nobody}]\n", "x.yaml:8:11 exclude.0: no cell of the grid matches, so nothing is left out"),
        ('ablate: {"a\\u202eb": {train.lr: 0.1}}\n',
         "x.yaml:8:10 ablate.a\\u202eb: a name holds no control characters or direction marks, and this one has \\u202e"),
        ("ablate: {a: {losses.r: {name: ranking, teacher: t}, teachers.t: {name: run, variant: a}}}\n",
         "x.yaml:8:86 teachers.t.variant: 'a' needs 'a', which needs it in turn; a run cannot be its own teacher"),
        ("ablate: {b: {losses.info: null, losses.r: {name: ranking, teacher: t, space: info}, teachers.t: {name: frozen, model: m}}}\n",
         "x.yaml:8:78 losses.r.space: in variant 'b' no loss is called 'info'. Known: r."),
        ("grid: {{train.lr: [{}], train.warmup: [{}]}}\n".format(", ".join(f"{i}e-6" for i in range(1, 1000)), ", ".join(f"0.{i:04}" for i in range(1, 999))),
         "x.yaml:1:1 grid: the grid has 997002 cells; at most 200000 are planned"),
    ],
)  # fmt: skip
def test_one_fault_one_line(base: str, plan_of: PlanOf, text: str, line: str) -> None:
    assert told(plan_of, base + text) == line


@pytest.mark.parametrize("number", [".nan", "-.inf", "1e400"])
def test_a_value_that_is_no_number_is_one_fault(base: str, write: Callable[..., Path], catalogue: Catalogue, number: str) -> None:
    """The value that stands in for it is not complained about as well; what is wrong beside it is."""
    path = write(base + f"ablate: {{b: {{train.lr: {number}, train.lrr: 1}}}}\n")
    sets = [f"base.train.lr={number}", f"train.batch={number}", f"losses.info={{name: contrast, temperature: {number}}}"]
    with pytest.raises(SuiteError) as caught:
        expand(load(path, sets), catalogue)
    unread = f"'{number}' is not a number that can be used; expected a finite one below 2^63"
    told = sorted(str(fault).removeprefix(f"{path}:") for fault in caught.value.faults)
    assert len(told) == 5
    assert told[0] == f"--set base.train.lr: {unread}"
    assert told[1] == f"--set losses.info.temperature: {unread}"
    assert told[2] == f"--set train.batch: {unread}"
    line = base.count("\n") + 1
    assert told[3] == f"{line}:24 ablate.b.train.lr: {unread}"
    assert told[4].startswith(f"{line}:{24 + len(number) + 2} train.lrr: there is no such key here.")


def test_a_missing_base_is_one_fault(plan_of: PlanOf) -> None:
    assert told(plan_of, "suite: x\nbsae: {}\n").splitlines() == [
        "x.yaml:1:1 base: a suite needs a map `base` with backbone, streams, teachers, losses, train, evaluate",
        "x.yaml:2:1 bsae: a suite has no such key. Did you mean 'base'? Known: "
        "ablate, base, exclude, expect, extends, generate, grid, groups, seeds, smoke, suite, support, title, zip.",
    ]


def test_steps_and_epochs_are_each_told_where_they_stand(base: str, write: Callable[..., Path], catalogue: Catalogue) -> None:
    write(base, "first.yaml")
    longer = write("suite: longer\nextends: first.yaml\nbase: {train: {epochs: 1, stps: 3}}\n", "longer.yaml")
    with pytest.raises(SuiteError) as caught:
        expand(load(longer), catalogue)
    assert [str(fault).partition(";")[0].partition(". ")[0] for fault in caught.value.faults] == [
        "first.yaml:6:18 train.steps: give either `steps` or `epochs`",
        "longer.yaml:3:24 train.epochs: give either `steps` or `epochs`",
        "longer.yaml:3:27 train.stps: there is no such key here",
    ]


def test_a_misspelt_axis_is_one_fault_however_many_values_it_has(base: str, plan_of: PlanOf) -> None:
    assert told(plan_of, base + "grid:\n  train.lrr: [0.1, 0.2, 0.3]\n").startswith("x.yaml:9:3 train.lrr: there is no such key")
    assert len(told(plan_of, base + "grid:\n  train.lrr: [0.1, 0.2, 0.3]\n").splitlines()) == 1


def test_an_evaluator_with_nothing_to_score_on_is_told_before_anything_is_trained(base: str, plan_of: PlanOf) -> None:
    text = base.replace("[quiz]", "[quiz, {name: exam, folder: term}]")
    assert told(plan_of, text, DataError) == (
        "x.yaml:7:20 evaluate.1: nothing to score on: there is no term/oral, term/written; ask the school"
    )
    Path("term/written").mkdir(parents=True)  # one is enough: the other is a missing column
    assert plan_of(text).runs
    assert "train.dev: nothing to score on" in told(plan_of, base.replace("{steps: 5}", "{steps: 5, dev: exam}"), DataError)


def test_a_dev_check_never_looks_at_a_test_split(base: str, plan_of: PlanOf) -> None:
    for dev, fine in (("quiz", False), ("{name: quiz, split: dev}", True), ("dev_quiz", True), ("{name: dev_quiz, split: test}", False)):  # fmt: skip
        text = base.replace("{steps: 5}", f"{{steps: 5, dev: {dev}}}")
        if fine:
            assert plan_of(text).runs[0].config["train"]["dev"]["options"]["split"] == "dev"
        else:
            assert "train.dev: a checkpoint is never chosen on the 'test' split" in told(plan_of, text)


def test_chains_and_circles_of_any_length_end(base: str, plan_of: PlanOf) -> None:
    names = "".join(f"  v{i}: [v{i + 1}]\n" for i in range(3000))
    assert "composed of itself, or too deeply" in told(
        plan_of, base + "ablate:\n" + names + "  v3000: {train.lr: 0.1}\n"
    )
    deep = ".".join(["losses"] * 100)
    assert "not more than 20" in told(plan_of, base + f"ablate: {{a: {{{deep}: 1}}, b: {{losses: {{{deep}: 1}}}}}}\n")
    with pytest.raises(SuiteError, match="is not PATH=VALUE"):
        plan_of(base, f"{deep * 50}=1")
    needs = "".join(
        f"  v{i}: {{losses.r: {{name: ranking, teacher: t}}, teachers.t: {{name: run, variant: v{i + 1}}}}}\n" for i in range(300)
    )  # fmt: skip
    assert "would need one another in a row" in told(plan_of, base + "ablate:\n" + needs + "  v300: {train.lr: 0.1}\n")
    blends = "".join(f"    t{i}: {{name: mixed, of: [t{(i + 1) % 2000}]}}\n" for i in range(2000))
    looped = base.replace(
        "losses: {info: contrast}", "losses: {info: {name: ranking, teacher: t0}}\n  teachers:\n" + blends
    )
    assert "teachers.t0: made of itself, in the end: t0, t1, " in told(plan_of, looped)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_mutilated_suites_never_end_in_a_traceback(
    write: Callable[..., Path], catalogue: Catalogue, data: st.DataObject
) -> None:
    lines = WRONG.splitlines()
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(lines) - 1))
        line = lines[at]
        cut = data.draw(st.integers(0, len(line)))
        lines[at] = line[:cut] + data.draw(st.sampled_from(["", "null", "[]", "{}", "- ", ": ", "&a ", "*a", "\t", "'", "1e9", "\u202e"])) + line[data.draw(st.integers(cut, len(line))) :]  # fmt: skip
    path = write("\n".join(lines))
    with pytest.raises(UserError) as error:
        expand(load(path), catalogue)
    assert error.value.exit_code in (2, 3, 4)
    for line in str(error.value).splitlines():
        assert line.isprintable()
