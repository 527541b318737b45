"""MCSE's captions and the count of its features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from photos import fault_of

from dalr_bench_plugins.sources.mcse import MCSE


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    h5py = pytest.importorskip("h5py", reason="needs the extra `hdf5`")
    captions, features = tmp_path / "flickr_random_captions.txt", tmp_path / "flickr_resnet.hdf5"
    captions.write_text("A dog runs .\nA cat .\nTwo birds .")
    with h5py.File(features, "w") as file:
        file["features"] = np.zeros((3, 4), np.float32)
    return captions, features


def test_every_line_is_another_photo(files: tuple[Path, Path]) -> None:
    corpus = MCSE(str(files[0]), str(files[1])).load()
    assert list(corpus.sentences) == ["A dog runs .", "A cat .", "Two birds ."]
    assert list(corpus.image_of or ()) == [0, 1, 2]
    assert corpus.images is None
    assert len(MCSE(str(files[0]), str(files[1]), limit=2).load().sentences) == 2


def test_counts_that_differ(files: tuple[Path, Path]) -> None:
    files[0].write_text("one\ntwo\n")
    said = fault_of(lambda: MCSE(str(files[0]), str(files[1])).load())
    assert said == f"{files[0]}:2: 2 captions, but 3 rows in {files[1]}"
    assert len(MCSE(str(files[0])).load().sentences) == 2


def test_blank_line_and_missing_files(files: tuple[Path, Path], tmp_path: Path) -> None:
    files[0].write_text("one\n\nthree\n")
    assert fault_of(lambda: MCSE(str(files[0])).load()) == f"{files[0]}:2: caption 1 is empty"
    assert "no such file" in fault_of(lambda: MCSE(str(tmp_path / "no")).load())
    assert "no such file" in fault_of(lambda: MCSE(str(files[0]), str(tmp_path / "no.hdf5")).load())
