"""The classification sets: small files with the oddities of the real ones, and the real ones' counts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from dalr_bench import DataError
from dalr_bench_plugins.senteval.classes import (
    LOADERS,
    ClassSet,
    load_binary,
    load_mrpc,
    load_probing,
    load_sick_entailment,
    load_sst,
    load_trec,
    texts,
)

OFFICIAL = {
    "MR": {"train": 10662},
    "CR": {"train": 3775},
    "SUBJ": {"train": 10000},
    "MPQA": {"train": 10606},
    "SST": {"train": 67349, "dev": 872, "test": 1821},
    "SST5": {"train": 8544, "dev": 1101, "test": 2210},
    "TREC": {"train": 5452, "test": 500},
    "MRPC": {"train": 4076, "test": 1725},
    "SICK-E": {"train": 4500, "dev": 500, "test": 4927},
}


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def loaded(found: ClassSet | None) -> ClassSet:
    assert found is not None
    return found


def test_binary_sets_are_latin_1_with_empty_sentences_sorted_by_length_and_class(tmp_path: Path) -> None:
    write(tmp_path / "CR" / "custrev.pos", b"good caf\xe9 here\n\nfine\n")
    write(tmp_path / "CR" / "custrev.neg", b"bad  M-CM-)\nno\n\n")
    train = loaded(load_binary(tmp_path, "CR", official=False)).splits["train"]
    assert list(train.left) == ["", "", "no", "fine", "bad M-CM-)", "good café here"]
    assert train.label_N.tolist() == [0, 1, 0, 1, 0, 1]
    assert train.label_N.dtype == np.int32


def test_trec(tmp_path: Path) -> None:
    write(tmp_path / "TREC" / "train_5500.label", b"NUM:dist How far is caf\xe9 ?\nABBR:exp What is : it\n")
    write(tmp_path / "TREC" / "TREC_10.label", b"HUM:ind Who ?\n")
    found = loaded(load_trec(tmp_path, official=False))
    assert list(found.splits["train"].left) == ["What is : it", "How far is café ?"]
    assert found.splits["train"].label_N.tolist() == [0, 5]
    assert found.splits["test"].label_N.tolist() == [3]


def test_mrpc_has_a_byte_order_mark_and_quotes(tmp_path: Path) -> None:
    head = "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"
    for split in ("train", "test"):
        rows = '1\t1\t2\tLonger " one\tB\n0\t3\t4\tShort\tOther one\n'
        write(tmp_path / "MRPC" / f"msr_paraphrase_{split}.txt", (head + rows).encode())
    found = loaded(load_mrpc(tmp_path, official=False)).splits["test"]
    assert list(found.left) == ["Short", 'Longer " one']
    assert list(found.right or ()) == ["Other one", "B"]
    assert found.label_N.tolist() == [0, 1]


def test_sst_of_both_grains(tmp_path: Path) -> None:
    for split in ("train", "dev", "test"):
        write(tmp_path / "SST" / "binary" / f"sentiment-{split}", b"a dull film \t0\nfine \t1\n")
        write(tmp_path / "SST" / "fine" / f"sentiment-{split}", "4 crème brûlée\n0 no\n".encode())
    binary, fine = (loaded(load_sst(tmp_path, grain, official=False)) for grain in ("binary", "fine"))
    assert (binary.task, fine.task) == ("SST", "SST5")
    assert list(binary.splits["dev"].left) == ["fine", "a dull film"]
    assert binary.splits["dev"].label_N.tolist() == [1, 0]
    assert list(fine.splits["test"].left) == ["no", "crème brûlée"]
    assert fine.splits["test"].label_N.tolist() == [0, 4]


def test_sick_entailment(tmp_path: Path) -> None:
    row = "pair_ID\tA\tB\tscore\tjudgment\n1\tA b\tc\t3\tENTAILMENT\n2\tA\tc\t3\tCONTRADICTION\n"
    for name in ("SICK_train.txt", "SICK_trial.txt", "SICK_test_annotated.txt"):
        write(tmp_path / "SICK" / name, row.encode())
    found = loaded(load_sick_entailment(tmp_path, official=False))
    assert list(found.splits) == ["train", "dev", "test"]
    assert found.splits["dev"].label_N.tolist() == [0, 2]
    assert sorted(texts(found)) == sorted(["A", "c", "A b", "c"] * 3)


def test_probing_classes_are_numbered_in_sorted_order(tmp_path: Path) -> None:
    write(tmp_path / "past_present.txt", b"tr\tPRES\tHe runs\ntr\tPAST\tHe ran home\nva\tPAST\tran\nte\tPRES\truns\n")
    found = loaded(load_probing(tmp_path, "Tense"))
    assert found.splits["train"].label_N.tolist() == [1, 0]
    assert list(found.splits["train"].left) == ["He runs", "He ran home"]
    assert found.splits["test"].label_N.tolist() == [1]
    assert load_probing(tmp_path, "Depth") is None
    write(tmp_path / "past_present.txt", b"tr\tPRES\tHe runs\nva\tPAST\tran\n")
    with pytest.raises(DataError, match=r"past_present\.txt:2: unknown label 'PAST'"):
        load_probing(tmp_path, "Tense")


@pytest.mark.parametrize("task", list(LOADERS))
def test_an_absent_set_is_none(tmp_path: Path, task: str) -> None:
    assert LOADERS[task](tmp_path, True) is None


def test_damage_is_named_by_file_and_line(tmp_path: Path) -> None:
    write(tmp_path / "TREC" / "train_5500.label", b"NUM:dist How far\nWHAT:x Who\n")
    with pytest.raises(DataError, match=r"train_5500\.label:2: unknown label 'WHAT'"):
        load_trec(tmp_path)
    write(tmp_path / "TREC" / "train_5500.label", b"NUM:dist How far\nno class\n")
    with pytest.raises(DataError, match=r"train_5500\.label:2: expected"):
        load_trec(tmp_path)
    write(tmp_path / "SST" / "binary" / "sentiment-train", b"fine \t1\ncut he\n")
    with pytest.raises(DataError, match=r"sentiment-train:2: expected a sentence and its class"):
        load_sst(tmp_path, "binary")
    write(tmp_path / "MRPC" / "msr_paraphrase_train.txt", b"head\n1\t2\t3\tonly one\n")
    with pytest.raises(DataError, match=r"msr_paraphrase_train\.txt:2: has 4 tab-separated columns, expected 5"):
        load_mrpc(tmp_path)
    write(tmp_path / "MR" / "rt-polarity.pos", b"good\n")
    with pytest.raises(DataError, match=r"rt-polarity\.pos has 1 example, the official one 5331"):
        load_binary(tmp_path, "MR")
    write(tmp_path / "MR" / "rt-polarity.pos", b"good\n")
    with pytest.raises(DataError, match=r"rt-polarity\.neg: cannot be read"):
        load_binary(tmp_path, "MR", official=False)


@pytest.mark.parametrize("task", list(OFFICIAL))
def test_the_real_sets_are_of_their_official_sizes(shared: Path, task: str) -> None:
    found = loaded(LOADERS[task](shared / "data" / "senteval" / "downstream", True))
    assert {name: len(split.label_N) for name, split in found.splits.items()} == OFFICIAL[task]
    assert all(len(split.left) == len(split.label_N) for split in found.splits.values())
    empty = Counter(text for text in texts(found))[""]
    assert empty == {"CR": 4, "MPQA": 3}.get(task, 0)
