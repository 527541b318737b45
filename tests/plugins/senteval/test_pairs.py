"""The loaders against small files with every oddity of the real ones, and against the real ones' counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dalr_bench import DataError
from dalr_bench_plugins.senteval.pairs import STSB_SIZES, YEARS, load_language, load_sick, load_stsb, load_year


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """One small tree: STS13 with an empty gold line, extra columns and runs of blanks; STS-B with quotes; SICK."""
    year = tmp_path / "STS" / "STS13-en-test"
    year.mkdir(parents=True)
    for name in YEARS["STS13"]:
        (year / f"STS.input.{name}.txt").write_text(f"{name}  a\tb\tsource\nc\td\ne\tf\n")
        (year / f"STS.gs.{name}.txt").write_text("4.5\n\n0\n")
    (tmp_path / "STS" / "STSBenchmark").mkdir()
    line = "g\tf\ty\t1\t2.5\t\"quoted , left\tright '\n"
    (tmp_path / "STS" / "STSBenchmark" / "sts-test.csv").write_text(line * 2)
    (tmp_path / "SICK").mkdir()
    for number, name in enumerate(("SICK_train.txt", "SICK_trial.txt", "SICK_test_annotated.txt"), 1):
        (tmp_path / "SICK" / name).write_text(
            "pair_ID\tA\tB\tscore\tjudgment\n" + f"1\tA {number}\tB\t{number}\tNEUTRAL\n" * number
        )
    return tmp_path


def test_a_year_drops_pairs_nobody_scored(tree: Path) -> None:
    found = load_year(tree, "STS13", official=False)
    assert found is not None
    assert [subset.name for subset in found.subsets] == ["FNWN", "headlines", "OnWN"]
    assert list(found.subsets[0].left) == ["FNWN a", "e"]
    assert list(found.subsets[0].right) == ["b", "f"]
    assert found.subsets[0].gold.tolist() == [4.5, 0.0]


def test_quotes_of_sts_b_are_characters(tree: Path) -> None:
    found = load_stsb(tree, "test", official=False)
    assert found is not None
    assert list(found.subsets[0].left) == ['"quoted , left'] * 2
    assert list(found.subsets[0].right) == ["right '"] * 2
    assert found.subsets[0].gold.tolist() == [2.5, 2.5]


def test_sick_all_is_its_three_files(tree: Path) -> None:
    for split, gold in (("test", [3.0] * 3), ("dev", [2.0] * 2), ("all", [1.0, 2.0, 2.0, 3.0, 3.0, 3.0])):
        found = load_sick(tree, split, official=False)
        assert found is not None
        assert found.subsets[0].gold.tolist() == gold


def test_an_absent_set_is_none(tmp_path: Path) -> None:
    assert load_year(tmp_path, "STS12") is None
    assert load_stsb(tmp_path, "test") is None
    assert load_sick(tmp_path, "test") is None
    assert load_language(tmp_path, "de") is None


def _cut(path: Path) -> None:
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


GOLD = "STS/STS13-en-test/STS.gs.OnWN.txt"
DAMAGE: list[tuple[str, Callable[[Path], object], str]] = [
    (GOLD, Path.unlink, r"STS\.gs\.OnWN\.txt: cannot be read"),
    (GOLD, _cut, r"STS\.gs\.OnWN\.txt:2: ends here: STS\.input\.OnWN\.txt has 3 lines, STS\.gs\.OnWN\.txt 2"),
    (GOLD, lambda path: path.write_text("4.5\n\nfive\n"), r"STS\.gs\.OnWN\.txt:3: 'five' is no number"),
    (GOLD, lambda path: path.write_text("nan\n1\n2\n"), "not finite"),
    (GOLD, lambda path: path.write_text("\n\n \n"), "is empty"),
    (
        "STS/STS13-en-test/STS.input.FNWN.txt",
        lambda path: path.write_text("a\tb\nc d\ne f\n"),
        r"FNWN\.txt:3: has 1 tab",
    ),
]


@pytest.mark.parametrize(("name", "damage", "message"), DAMAGE)
def test_damage_is_named_by_file_and_line(
    tree: Path, name: str, damage: Callable[[Path], object], message: str
) -> None:
    damage(tree / name)
    with pytest.raises(DataError, match=message) as caught:
        load_year(tree, "STS13", official=False)
    assert caught.value.exit_code == 4


def test_damage_of_the_other_files_too(tree: Path) -> None:
    path = tree / "STS" / "STSBenchmark" / "sts-test.csv"
    path.write_text(path.read_text() + "only\tthree\tcolumns\n")
    with pytest.raises(DataError, match=r"sts-test\.csv:3: has 3 tab-separated columns, expected 7"):
        load_stsb(tree, "test", official=False)
    path = tree / "SICK" / "SICK_trial.txt"
    path.write_text(path.read_text().replace("\t2\t", "\ttwo\t"))
    with pytest.raises(DataError, match=r"SICK_trial\.txt:2: 'two' is no number"):
        load_sick(tree, "dev", official=False)


def test_a_cut_set_is_refused_even_where_both_files_are_cut(tree: Path) -> None:
    with pytest.raises(DataError, match=r"subset FNWN has 2 examples, the official one 189"):
        load_year(tree, "STS13")
    with pytest.raises(DataError, match=r"STS-B test has 2 examples, the official one 1379"):
        load_stsb(tree, "test")
    with pytest.raises(DataError, match=r"SICK test has 3 examples, the official one 4927"):
        load_sick(tree, "test")


@pytest.mark.parametrize(
    "line", ["{", '{"sentence1": "a"}', '{"sentence1": "a", "sentence2": "b", "score": "x"}', "[]"]
)
def test_a_bad_json_line_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "stsb_multi_mt").mkdir()
    good = '{"sentence1": "ein  Satz", "sentence2": "b", "score": 2.5}\n'
    path = tmp_path / "stsb_multi_mt" / "de-test.jsonl"
    path.write_text(good)
    found = load_language(tmp_path, "de")
    assert found is not None
    assert list(found.subsets[0].left) == ["ein Satz"]
    path.write_text(good + line + "\n")
    with pytest.raises(DataError, match=r"de-test\.jsonl:2: "):
        load_language(tmp_path, "de")


def test_the_real_sets_are_of_their_official_sizes(shared: Path) -> None:
    tree = shared / "data" / "senteval" / "downstream"
    pairs = 0
    for task, sizes in YEARS.items():
        found = load_year(tree, task)
        assert found is not None
        assert {subset.name: len(subset.gold) for subset in found.subsets} == sizes
        pairs += sum(sizes.values())
    for split, size in STSB_SIZES.items():
        assert len(load_stsb(tree, split).subsets[0].gold) == size  # type: ignore[union-attr]
    sick = load_sick(tree, "all")
    assert sick is not None
    assert len(sick.subsets[0].gold) == 4500 + 500 + 4927
    assert pairs == 3108 + 1500 + 3750 + 3000 + 1186
