"""Wrong and cut files of every kind, through the command line: exit 4 and one line with file and line, no traceback."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from photos import write_json_lines, write_photos

from dalr_bench.cli.main import main

SUITE = """\
suite: damaged
base:
  backbone: {{name: hf, layers: 1, hidden: 8, heads: 2, feed_forward: 8}}
  streams: {{data: {stream}}}
  teachers: {{rows: {teacher}}}
  losses: {{info: infonce{loss}}}
  train: {{steps: {steps}, batch: 2}}
  evaluate: [{evaluate}]
ablate: {{only: {{}}}}
"""
GROUNDED = ", grounding: {name: image_grounding, image: rows, dim: 4}"
CAPTIONS = "{name: captions, root: ., photos: false}"
Damage = Callable[[Path], str]


def suite_of(
    folder: Path, stream: str = "{name: scenes, scenes: 4}", teacher: str = "{name: stored, path: .}", **rest: str
) -> Path:
    given = {"loss": "", "steps": "1", "evaluate": "", **rest}
    path = folder / "suite.yaml"
    path.write_text(SUITE.format(stream=stream, teacher=teacher, **given))
    return path


def said(suite: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What a user reads on stderr when the only run of a suite meets its data."""
    with pytest.raises(SystemExit) as left:
        main(["run", str(suite), "--results", str(suite.parent / "results"), "--executor", "inline"])
    err = capsys.readouterr().err
    assert left.value.code == 4, err
    assert "Traceback" not in err
    record = json.loads(next(suite.parent.glob("results/*/*/record.json")).read_text())
    assert record["status"] == "failed"
    assert "\n" not in record["error"]
    assert sum(record["error"] in line for line in err.splitlines()) == 1  # told once, on one line
    return str(record["error"])


def blank_line(folder: Path) -> str:
    (folder / "a.txt").write_text("One.\n\nThree.\n")
    return "{name: lines, path: a.txt}|a.txt:2: a blank line"


def no_utf8(folder: Path) -> str:
    (folder / "a.txt").write_bytes(b"One.\nTwo.\n\xff\xfe\n")
    return "{name: lines, path: a.txt}|a.txt:3:"


def cut_gzip(folder: Path) -> str:
    import gzip

    whole = gzip.compress("".join(f"Sentence {n}.\n" for n in range(500)).encode())
    (folder / "a.txt.gz").write_bytes(whole[: len(whole) // 2])
    return "{name: lines, path: a.txt.gz}|a.txt.gz:"


def token_line(folder: Path) -> str:
    (folder / "r.token").write_text("1.jpg#0\tA dog.\n1.jpg#1 \n")
    return "{name: flickr30k, annotations: r.token, per_image: null}|r.token:2: "


def too_few_captions(folder: Path) -> str:
    (folder / "r.token").write_text("1.jpg#0\tA dog.\n1.jpg#1\tThe dog.\n")
    return "{name: flickr30k, annotations: r.token}|r.token:1: "


def missing_photo(folder: Path) -> str:
    names = write_photos(folder / "photos", 2)
    rows = [f"{name}#0\tA photo.\n" for name in [*names, "gone.jpg"]]
    (folder / "r.token").write_text("".join(rows))
    return "{name: flickr30k, annotations: r.token, photos: photos, per_image: null}|r.token:3: "


def csv_cell(folder: Path) -> str:
    (folder / "f.csv").write_text('raw,split,filename\n"[""A dog.""]",train,1.jpg\n"[cut",train,2.jpg\n')
    return "{name: flickr30k, annotations: f.csv, per_image: null}|f.csv:3: column raw is no JSON list"


def karpathy_cut(folder: Path) -> str:
    (folder / "dataset_flickr30k.json").write_text('{"images": [\n{"filename": "1.jpg",\n"split": "tra')
    return "{name: flickr30k, annotations: dataset_flickr30k.json}|dataset_flickr30k.json:3"


def coco_stranger(folder: Path) -> str:
    document = {"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": [{"id": 5, "image_id": 2, "caption": "x"}]}
    (folder / "captions_train2017.json").write_text(json.dumps(document))
    return "{name: coco, annotations: captions_train2017.json}|captions_train2017.json:1: annotation 5 belongs to"


def coco_cut(folder: Path) -> str:
    (folder / "captions_train2017.json").write_text('{"images": [],\n"annotations": [{"id"')
    return "{name: coco, annotations: captions_train2017.json}|captions_train2017.json:2"


def mcse_counts(folder: Path) -> str:
    h5py = pytest.importorskip("h5py", reason="needs the extra `hdf5`")
    (folder / "c.txt").write_text("One.\nTwo.\n")
    with h5py.File(folder / "f.hdf5", "w") as file:
        file["features"] = np.zeros((3, 4), np.float32)
    return "{name: mcse, captions: c.txt, features: f.hdf5}|c.txt:2: 2 captions, but 3 rows"


def kdmcse_cut(folder: Path) -> str:
    entry = {"image": "1.jpg", "captions": ["A dog."], "image_feat": [1.0], "lang_feat": [[1.0]]}
    whole = json.dumps({"1": entry}, indent=1)
    (folder / "k.json").write_text(whole[: len(whole) // 2])
    return "{name: kdmcse, path: k.json}|k.json:2: "


def json_line(folder: Path) -> str:
    write_json_lines(folder / "captions.jsonl", [{"image": "1.jpg", "captions": ["One."]}, {"image": "2.jpg"}])
    return f'{CAPTIONS}|captions.jsonl:2: expected {{"image"'


def json_line_cut(folder: Path) -> str:
    (folder / "captions.jsonl").write_text('{"image": "1.jpg", "captions": ["One."]}\n{"image": "2.j')
    return f"{CAPTIONS}|captions.jsonl:2"


def empty_caption(folder: Path) -> str:
    write_json_lines(folder / "captions.jsonl", [{"image": "1.jpg", "captions": ["One.", " "]}])
    return f"{CAPTIONS}|captions.jsonl:1: "


def nli_row(folder: Path) -> str:
    (folder / "n.csv").write_text("sent0,sent1,hard_neg\na,b,c\na,b\n")
    return "{name: nli_triplets, path: n.csv}|n.csv:3"


@pytest.mark.parametrize(
    "damage",
    [
        blank_line,
        no_utf8,
        cut_gzip,
        token_line,
        too_few_captions,
        missing_photo,
        csv_cell,
        karpathy_cut,
        coco_stranger,
        coco_cut,
        mcse_counts,
        kdmcse_cut,
        json_line,
        json_line_cut,
        empty_caption,
        nli_row,
    ],
)
def test_a_damaged_source(damage: Damage, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stream, _, place = damage(tmp_path).partition("|")
    assert f"{tmp_path}/{place}" in said(suite_of(tmp_path, stream), capsys)


def rows_cut(folder: Path) -> str:
    np.savez(folder / "f.npz", image=np.zeros((4, 3), np.float32))
    (folder / "f.npz").write_bytes((folder / "f.npz").read_bytes()[:60])
    return "f.npz|f.npz: cut or damaged"


def rows_too_few(folder: Path) -> str:
    np.savez(folder / "f.npz", image=np.zeros((3, 3), np.float32))
    return "f.npz|f.npz: 3 image rows for 4 photos"


def rows_pickled(folder: Path) -> str:
    np.savez(folder / "f.npz", image=np.array([{"a": 1}], object))
    return "f.npz|f.npz: it holds pickled objects"


def rows_of_no_numbers(folder: Path) -> str:
    entries = {"1": {"image_feat": [1.0, 2.0]}, "2": {"image_feat": "none"}}
    (folder / "f.json").write_text(json.dumps(entries, indent=1))
    return "f.json|f.json:8: entry '2' has no numbers"


@pytest.mark.parametrize("damage", [rows_cut, rows_too_few, rows_pickled, rows_of_no_numbers])
def test_damaged_features(damage: Damage, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, _, place = damage(tmp_path).partition("|")
    suite = suite_of(tmp_path, teacher=f"{{name: stored, path: {file}}}", loss=GROUNDED)
    assert f"{tmp_path}/{place}" in said(suite, capsys)


@pytest.mark.parametrize(
    ("evaluate", "file", "content", "place"),
    [
        ("{name: sts, sets: [STS-B], root: .}", "STS/STSBenchmark/sts-test.csv", "a\tb\n", "sts-test.csv:1: "),
        ("{name: senteval, tasks: [TREC], root: .}", "TREC/train_5500.label", "WHAT:x Why?\n", "train_5500.label:1: "),
        ("{name: retrieval, root: downstream}", "captions.jsonl", '{"image": 1}\n', "captions.jsonl:1: "),
    ],
)
def test_damaged_evaluation_data(
    evaluate: str, file: str, content: str, place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "downstream" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    assert f"{path.parent}/{place}" in said(suite_of(tmp_path, evaluate=evaluate, steps="0"), capsys)


def test_a_missing_file_stops_before_anything_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    suite = suite_of(tmp_path, "{name: lines, path: gone.txt}")
    with pytest.raises(SystemExit) as left:
        main(["run", str(suite), "--results", str(tmp_path / "results")])
    err = capsys.readouterr().err
    assert left.value.code == 4
    assert err.splitlines() == [line for line in err.splitlines() if "gone.txt" in line]
    assert f"{suite}:4:" in err
    assert not (tmp_path / "results").exists()
