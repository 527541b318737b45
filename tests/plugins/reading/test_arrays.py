"""Arrays of every form, and files that are damaged, foreign or pickled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from photos import fault_of

from dalr_bench_plugins.reading.arrays import array_shape, read_array

ROWS = np.arange(12, dtype=np.float64).reshape(4, 3)


def write(path: Path, **arrays: Any) -> Path:
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    elif path.suffix == ".safetensors":
        from safetensors.numpy import save_file

        save_file(arrays, path)
    else:
        h5py = pytest.importorskip("h5py", reason="needs the extra `hdf5`")
        with h5py.File(path, "w") as file:
            for name, array in arrays.items():
                file[name] = array
    return path


@pytest.fixture(params=["a.npz", "a.safetensors", "a.h5", "a.hdf5"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / str(request.param)


def test_rows_become_float32(path: Path) -> None:
    write(path, features=ROWS, other=np.zeros((1, 2), np.float32))
    read = read_array(path, "features")
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, ROWS)
    assert array_shape(path, "features") == (4, 3)


def test_unknown_array_names_what_is_there(path: Path) -> None:
    write(path, features=ROWS)
    said = fault_of(lambda: read_array(path, "feature"))
    assert said == f"{path}: it holds no array 'feature'. Did you mean 'features'? Known: features."


def test_arrays_that_are_no_rows(path: Path) -> None:
    write(path, features=np.zeros(5))
    assert "is float64 of shape (5,); expected numbers, [rows, width]" in fault_of(lambda: read_array(path, "features"))


def test_cut_file(path: Path) -> None:
    write(path, features=np.random.default_rng(0).normal(size=(200, 50)))
    path.write_bytes(path.read_bytes()[:900])
    assert fault_of(lambda: read_array(path, "features")).startswith(f"{path}: cut or damaged")


def test_missing_and_unknown_form(tmp_path: Path) -> None:
    assert fault_of(lambda: read_array(tmp_path / "no.npz", "a")) == f"{tmp_path}/no.npz: no such file"
    (tmp_path / "a.pkl").write_bytes(b"x")
    assert "not a file of a known form: .safetensors, .npz" in fault_of(lambda: read_array(tmp_path / "a.pkl", "a"))


def test_pickled_objects_are_not_opened(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return (Path.write_text, (tmp_path / "ran", "x"))  # type: ignore[return-value]

    path = tmp_path / "a.npz"
    np.savez(path, features=np.array([Bomb()], dtype=object))
    assert fault_of(lambda: read_array(path, "features")) == f"{path}: it holds pickled objects, which are not opened"
    assert not (tmp_path / "ran").exists()
