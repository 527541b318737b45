from __future__ import annotations

import pytest

from dalr_bench.errors import SuiteError
from dalr_bench.table.columns import Key, choose, read_order

ORDER = read_order()
STS = ["STS12", "STS13", "STS14", "STS15", "STS16", "STS-B", "SICK-R"]
TRANSFER = ["MR", "CR", "SUBJ", "MPQA", "SST", "TREC", "MRPC"]


def names(keys: list[Key], *selectors: str) -> list[str]:
    return [column.name for column in choose(keys, selectors, ORDER)]


def key(task: str, metric: str = "spearman", aggregation: str | None = None, split: str = "test") -> Key:
    return task, metric, aggregation, split


def test_the_order_of_the_field_whatever_the_order_of_the_scores() -> None:
    found = [key("transfer", "avg"), key("STS", "avg", "all")]
    found += [key(task, "accuracy") for task in reversed(TRANSFER)]
    found += [key(task, "spearman", "all") for task in reversed(STS)]
    columns = choose(found, (), ORDER)
    assert [column.name for column in columns] == [*STS, "Avg", *TRANSFER, "Avg (transfer)"]
    assert [column.label for column in columns] == [*STS, "Avg", *TRANSFER, "Avg"]
    assert [column.block for column in columns] == ["STS"] * 8 + ["Transfer"] * 8


def test_other_tasks_follow_as_they_are_found() -> None:
    assert names([key("zebra"), key("apple", "acc"), key("STS13")]) == ["STS13", "zebra", "apple"]


def test_one_main_score_a_task() -> None:
    found = [key("STS12", "pearson", "all"), key("STS12", "spearman", "mean"), key("STS12", "spearman", "all")]
    assert choose(found, (), ORDER)[0].key == key("STS12", "spearman", "all")
    assert names(found) == ["STS12"]


def test_the_first_score_is_main_where_no_habit_says_otherwise() -> None:
    found = [key("retrieval", "R@1"), key("retrieval", "R@5")]
    assert choose(found, (), ORDER)[0].key == key("retrieval", "R@1")


def test_the_test_split_before_all_pairs() -> None:
    found = [key("SICK-R", split="all pairs"), key("SICK-R")]
    assert choose(found, (), ORDER)[0].key == key("SICK-R")


def test_an_average_that_is_all_there_is_stands() -> None:
    assert names([key("STS12", "spearman", "wmean")]) == ["STS12"]


@pytest.mark.parametrize("mark", ["/", ".", ":"])
def test_subsets_and_dev_scores_only_when_asked(mark: str) -> None:
    found = [key("STS12"), key(f"STS12{mark}MSRpar"), key("STS-dev", split="dev")]
    assert names(found) == ["STS12"]
    assert names(found, f"STS12{mark}MSRpar", "STS-dev") == [f"STS12{mark}MSRpar", "STS-dev"]


def test_a_metric_may_be_asked_for() -> None:
    found = [key("r", "R@1"), key("r", "R@5")]
    assert names(found, "r.R@5") == ["r R@5"]
    assert names(found, "r", "r.R@5") == ["r", "r R@5"]


def test_globs_and_order() -> None:
    found = [key("MR", "acc"), key("STS13"), key("STS12"), key("STS", "avg")]
    assert names(found, "STS1*") == ["STS12", "STS13"]
    assert names(found, "MR", "STS") == ["Avg", "MR"]


def test_asked_twice_is_shown_once() -> None:
    assert names([key("STS12")], "STS12", "STS*") == ["STS12"]


def test_an_unknown_task_names_the_nearest() -> None:
    with pytest.raises(SuiteError, match=r"--tasks STS21: no score is called that\. Did you mean 'STS12'"):
        names([key("STS12")], "STS21")


def test_names_hold_no_control_characters() -> None:
    assert names([key("evil\x1b[31m\ntask")]) == ["evil [31m task"]
