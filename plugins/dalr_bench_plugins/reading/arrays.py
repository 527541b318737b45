"""Arrays others computed: safetensors, npz (never a pickle), HDF5. Faults name the file and what it holds."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dalr_bench import DataError, Fault
from dalr_bench.errors import nearest

if TYPE_CHECKING:
    import numpy as np

FORMS = (".safetensors", ".npz", ".h5", ".hdf5")


def read_array(path: Path, name: str) -> np.ndarray[Any, Any]:
    """One array of a file, [n, width], float32. Raises DataError: no such file, form or array; cut; pickled."""
    import numpy as np

    with _opened(path) as arrays:
        rows = np.asarray(_found(arrays, name, path)[...])
    if rows.ndim != 2 or rows.dtype.kind not in "fiu":
        what = f"array '{name}' is {rows.dtype} of shape {rows.shape}; expected numbers, [rows, width]"
        raise DataError(Fault(what, file=str(path)))
    return rows.astype(np.float32, copy=False)


def array_shape(path: Path, name: str) -> tuple[int, ...]:
    """The shape of one array."""
    with _opened(path) as arrays:
        return tuple(_found(arrays, name, path).shape)


def _found(arrays: Any, name: str, path: Path) -> Any:
    if name not in arrays:
        raise DataError(Fault(f"it holds no array '{name}'. {nearest(name, arrays)}", file=str(path)))
    return arrays[name]


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    from safetensors import SafetensorError

    if not path.is_file():
        raise DataError(Fault("no such file", file=str(path)))
    try:
        with _reader(path) as arrays:
            yield arrays
    except (SafetensorError, zipfile.BadZipFile, OSError, EOFError, ValueError, KeyError) as error:
        pickled = "allow_pickle" in str(error)
        reason = "it holds pickled objects, which are not opened" if pickled else f"cut or damaged ({error})"
        raise DataError(Fault(reason, file=str(path))) from error


@contextmanager
def _reader(path: Path) -> Iterator[Any]:
    if path.suffix == ".safetensors":
        from safetensors.numpy import load_file

        yield load_file(path)
    elif path.suffix == ".npz":
        import numpy as np

        # Opened here, for np.load leaves a damaged file open.
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as arrays:
            yield arrays
    elif path.suffix in (".h5", ".hdf5"):
        with _hdf5().File(path, "r") as arrays:
            yield arrays
    else:
        raise DataError(Fault(f"not a file of a known form: {', '.join(FORMS)}", file=str(path)))


def _hdf5() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise DataError("an HDF5 file needs h5py: pip install 'dalr-bench[hdf5]'") from error
    return h5py
