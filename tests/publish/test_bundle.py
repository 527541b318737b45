"""A bundle runs elsewhere to the same identity, weights and scores; missing data is named, hostile ones refused."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tiny_models import text_folder

from dalr_bench import DataError, SuiteError
from dalr_bench.cli.main import main
from dalr_bench.plugin.manager import load
from dalr_bench.publish.archive import read_archive, write_archive
from dalr_bench.publish.bundle import Bundled, bundle
from dalr_bench.publish.replay import compared, differences, replay
from dalr_bench.record.store import read_record
from dalr_bench.suite.fingerprint import fingerprint


def call(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return int(left.value.code or 0), captured.out, captured.err


def texts(path: Path) -> dict[str, str]:
    return {name: content.decode() for name, content in read_archive(path).items()}


def changed(path: Path, out: Path, changes: Mapping[str, str]) -> Path:
    write_archive(out, {**texts(path), **changes})
    return out


@pytest.fixture(scope="module")
def packed(readings: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundled, Path]:
    out = tmp_path_factory.mktemp("bundle") / "taught.zip"
    return bundle(readings, "taught-s1", out, load().catalogue), out


def test_it_runs_elsewhere_to_the_same_identity_and_scores(
    packed: tuple[Bundled, Path],
    readings: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    made, path = packed
    monkeypatch.chdir(tmp_path)
    code, out, err = call(capsys, "run", path, "--executor", "inline", "--device", "cpu")
    assert code == 0, err
    folder = tmp_path / "results" / f"{made.run_id}-bundle"
    assert {place.name for place in folder.iterdir() if place.is_dir()} == set(made.runs)
    for run in made.runs:
        there, here = read_record(readings / run), read_record(folder / run)
        assert there is not None
        assert here is not None
        assert there.scores == here.scores
        assert there.extra["weights"] == here.extra["weights"]
        first, second = (json.loads((place / run / "config.json").read_text()) for place in (readings, folder))
        assert first == second
    assert "the same weights; all 7 scores equal the bundle's" in err
    assert "count as others" not in err
    assert "taught" in out
    assert "3 done before" in call(capsys, "run", path)[2] or len(made.runs) == 2


def test_it_holds_config_suite_lock_and_records_of_all_it_needs(packed: tuple[Bundled, Path]) -> None:
    made, path = packed
    assert len(made.runs) == 2  # itself, and the teacher of seed 0
    assert made.runs[-1] == made.run_id
    members = texts(path)
    per_run = {f"runs/{run}/{name}.json" for run in made.runs for name in ("config", "record")}
    assert set(members) == {"bundle.json", "suite.yaml", "original.yaml", "environment.txt", *per_run}
    assert "unit mean" in members["original.yaml"]
    lock = dict(line.split("  #")[0].split("==") for line in members["environment.txt"].splitlines()[1:])
    from importlib.metadata import version

    assert lock["numpy"] == version("numpy")
    assert lock["torch"] == version("torch").partition("+")[0]
    assert str(Path.cwd()) not in "".join(members.values())


def test_equal_runs_make_equal_files(packed: tuple[Bundled, Path], readings: Path, tmp_path: Path) -> None:
    bundle(readings, packed[0].run_id, tmp_path / "again.zip", load().catalogue)
    assert (tmp_path / "again.zip").read_bytes() == packed[1].read_bytes()


def test_the_command_packs_a_run_named_by_its_beginning(
    readings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = call(capsys, "bundle", readings, "head-s0", "--out", tmp_path / "h.zip")
    assert code == 0
    assert out.startswith("head-s0-")
    assert call(capsys, "bundle", readings, "head", "--out", tmp_path / "x.zip")[0] == 2
    code, _, err = call(capsys, "bundle", readings, "haed-s0", "--out", tmp_path / "x.zip")
    assert code == 2
    assert "no run is called 'haed-s0'" in err
    assert not (tmp_path / "x.zip").exists()
    code, _, err = call(capsys, "run", tmp_path / "h.zip", "--smoke")
    assert code == 2
    assert "a bundle is one run" in err


# ------------------------------------------------------------------ data
@pytest.fixture(scope="module")
def on_file(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A run on a file of lines: its results, the file, its bundle."""
    folder = tmp_path_factory.mktemp("on_file")
    lines = folder / "mine" / "lines.txt"
    lines.parent.mkdir()
    lines.write_text("".join(f"a small line with number {i} in it\n" for i in range(20)))
    (folder / "suite.yaml").write_text(
        "suite: filed\nbase:\n  backbone: {name: hf, layers: 1, hidden: 8, heads: 1, feed_forward: 8}\n"
        "  streams: {text: {name: lines, path: mine/lines.txt}}\n  losses: {info: infonce}\n"
        "  train: {steps: 1, batch: 4}\n  evaluate: []\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DALR_BENCH_CACHE", str(folder / "cache"))
        with pytest.raises(SystemExit) as left:
            main(["run", str(folder / "suite.yaml"), "--results", str(folder / "results"), "--device", "cpu"])
        assert left.value.code == 0
        bundle(folder / "results", "base", folder / "b.zip", load().catalogue)
    return folder / "results" / "filed", lines, folder / "b.zip"


def test_missing_data_is_named_with_its_fingerprint(
    on_file: tuple[Path, Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    results, lines, path = on_file
    known = fingerprint(lines)
    members = texts(path)
    assert json.loads(members["bundle.json"])["data"] == [{"path": "lines.txt", "fingerprint": known}]
    assert str(lines.parent) not in members["suite.yaml"] + members["bundle.json"]
    here = tmp_path / "elsewhere" / "b.zip"
    here.parent.mkdir()
    here.write_bytes(path.read_bytes())
    code, _, err = call(capsys, "run", here, "--results", tmp_path / "r")
    assert code == 4
    assert f"data 'lines.txt' is missing (content {known})" in err
    assert not (tmp_path / "r").exists()

    (here.parent / "lines.txt").write_text("other\n")
    code, _, err = call(capsys, "run", here, "--results", tmp_path / "r")
    assert code == 4
    assert "other content" in err
    assert known in err

    (here.parent / "lines.txt").unlink()
    monkeypatch.setenv("DALR_BENCH_DATA", str(lines.parent))
    code, _, err = call(capsys, "run", here, "--results", tmp_path / "r", "--device", "cpu")
    assert code == 0, err
    assert "the same weights" in err
    assert {place.name for place in (tmp_path / "r").glob("*-bundle/base-*")} == {
        place.name for place in results.glob("base-*")
    }


def test_a_models_folder_goes_by_name_and_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    there = tmp_path / "there"
    text_folder(there / "mine")
    (there / "suite.yaml").write_text(
        "suite: own\nbase:\n  backbone: {name: hf, model: mine}\n  streams: {text: {name: scenes, scenes: 8}}\n"
        "  losses: {info: infonce}\n  train: {steps: 1, batch: 4}\n  evaluate: []\n"
    )
    monkeypatch.setenv("DALR_BENCH_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "elsewhere" / "b.zip"
    path.parent.mkdir()
    monkeypatch.chdir(path.parent)
    code, _, err = call(capsys, "run", there / "suite.yaml", "--results", there / "r", "--device", "cpu")
    assert code == 0, err
    code, out, err = call(capsys, "bundle", there / "r" / "own", "base", "--out", path)
    assert code == 0, err
    known = fingerprint(there / "mine")
    assert f"not packed, to be found by name: mine ({known})" in out + err
    members = texts(path)
    assert str(tmp_path) not in members["suite.yaml"] + members["bundle.json"]
    assert not any(str(tmp_path) in text for name, text in members.items() if name.endswith("config.json"))
    shutil.move(there, tmp_path / "gone")
    code, _, err = call(capsys, "run", path, "--results", tmp_path / "again")
    assert code == 4
    assert f"data 'mine' is missing (content {known})" in err
    shutil.copytree(tmp_path / "gone" / "mine", path.parent / "mine")
    code, _, err = call(capsys, "run", path, "--results", tmp_path / "again", "--device", "cpu")
    assert code == 0, err
    assert "the same weights" in err
    assert "count as others" not in err


# ------------------------------------------------------------------ strangers' bundles
def test_a_bundle_that_opens_a_door_or_reads_another_file_is_refused(
    packed: tuple[Bundled, Path], tmp_path: Path
) -> None:
    path, catalogue = packed[1], load().catalogue
    suite = texts(path)["suite.yaml"]
    opened = suite.replace('"trust_remote_code": false', '"trust_remote_code": true', 1)
    with pytest.raises(SuiteError, match="asks for trust_remote_code, which a stranger's bundle may not"):
        replay(changed(path, tmp_path / "a.zip", {"suite.yaml": opened}), catalogue)
    secret = tmp_path / "secret.txt"
    secret.write_text("mine\n")
    reads = suite.replace('{"name": "scenes", "scenes"', f'{{"name": "lines", "path": {json.dumps(str(secret))}}} #', 1)
    assert reads != suite
    with pytest.raises(DataError, match="none of the bundle's data"):
        replay(changed(path, tmp_path / "b.zip", {"suite.yaml": reads}), catalogue)
    with pytest.raises(DataError, match="no suite that stands alone"):
        replay(changed(path, tmp_path / "c.zip", {"suite.yaml": f"extends: {secret}\n"}), catalogue)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 2}, "schema 2 is unknown here"),
        ({"run_id": "other"}, "`run_id` is none of `runs`"),
        (
            {"runs": [{"run_id": "../up-s0-1", "variant": "x", "seed": 0, "axes": {}}]},
            "no run is called|none of `runs`",
        ),
        ({"data": [{"path": "../../etc/passwd", "fingerprint": "x"}]}, "named from the bundle's folder down"),
        ({"data": [{"path": "/etc/passwd", "fingerprint": "x"}]}, "named from the bundle's folder down"),
        ({"data": ["x"]}, "expected an object"),
        ({"runs": None}, "`runs` must be list"),
    ],
)
def test_a_manifest_is_read_with_suspicion(
    packed: tuple[Bundled, Path], tmp_path: Path, change: Mapping[str, Any], message: str
) -> None:
    manifest = json.dumps({**json.loads(texts(packed[1])["bundle.json"]), **change})
    with pytest.raises(DataError, match=message):
        replay(changed(packed[1], tmp_path / "x.zip", {"bundle.json": manifest}), load().catalogue)


def test_a_hostile_run_id_gives_no_folder(packed: tuple[Bundled, Path], tmp_path: Path) -> None:
    manifest = json.loads(texts(packed[1])["bundle.json"])
    manifest["runs"][-1]["run_id"] = manifest["run_id"] = f"../../x-{manifest['run_id'].rpartition('-')[2]}"
    with pytest.raises(DataError, match="no run is called"):
        replay(changed(packed[1], tmp_path / "x.zip", {"bundle.json": json.dumps(manifest)}), load().catalogue)


def test_what_is_no_bundle_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_text("no zip")
    for name, message in (("a.zip", "no sound zip file"), ("none.zip", "there is no such file")):
        with pytest.raises(DataError, match=message):
            replay(tmp_path / name, load().catalogue)
    write_archive(tmp_path / "b.zip", {"readme": "hello"})
    with pytest.raises(DataError, match=r"it has no bundle\.json"):
        replay(tmp_path / "b.zip", load().catalogue)


def test_another_identity_is_said_and_the_runs_keep_their_own_ids(packed: tuple[Bundled, Path], tmp_path: Path) -> None:
    made, path = packed
    suite = texts(path)["suite.yaml"].replace('"temperature": 0.05', '"temperature": 0.06')
    found = replay(changed(path, tmp_path / "x.zip", {"suite.yaml": suite}), load().catalogue)
    assert set(found.renamed) == set(made.runs)
    assert found.here != made.run_id
    assert {run.id for run in found.plan.runs} == set(found.renamed.values())


def test_differences_are_told(readings: Path, packed: tuple[Bundled, Path]) -> None:
    record = read_record(readings / packed[0].run_id)
    assert record is not None
    from dataclasses import replace

    first, *rest = record.scores
    moved = replace(record, scores=(replace(first, value=first.value + 0.125), *rest[1:]), extra={})
    assert compared(record, moved).startswith("other weights; the largest difference of 6 scores is 0.125; 1 of")
    assert "nothing to compare" in compared(None, record)
    libraries = {**record.environment["libraries"], "torch": "1.0"}
    (line,) = differences(record, {**record.environment, "libraries": libraries})
    assert line == f"torch {record.environment['libraries']['torch']}, here 1.0"


# ------------------------------------------------------------------ archives
def zipped(path: Path, *members: tuple[str, bytes]) -> Path:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    path.write_bytes(buffer.getvalue())
    return path


@pytest.mark.parametrize(
    "name", ["../up", "/etc/x", "a/../../b", "a\\..\\b", "C:/x", "a//b", ".hidden", "a/", "a\nb", "ä"]
)
def test_names_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="may lead out of the archive"):
        read_archive(zipped(tmp_path / "x.zip", ("fine.json", b"1"), (name, b"x")))


def test_bombs_and_doubles_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="more than 32,000,000 bytes"):
        read_archive(zipped(tmp_path / "a.zip", ("a", bytes(20_000_000)), ("b", bytes(20_000_000))))
    with pytest.raises(DataError, match="501 members are too many"):
        read_archive(zipped(tmp_path / "b.zip", *((str(i), b"") for i in range(501))))
    with pytest.warns(UserWarning, match="Duplicate"):
        double = zipped(tmp_path / "c.zip", ("a", b"1"), ("a", b"2"))
    with pytest.raises(DataError, match="comes twice"):
        read_archive(double)
    whole = bytearray(
        zipped(tmp_path / "d.zip", ("a", b"some content that is long enough to be told apart")).read_bytes()
    )
    whole[45] ^= 0xFF
    (tmp_path / "d.zip").write_bytes(whole)
    with pytest.raises(DataError, match="no sound zip file"):
        read_archive(tmp_path / "d.zip")
