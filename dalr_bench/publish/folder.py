"""A cell as a model folder: the saved student, its card, and what plugins lay beside it. There whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from dalr_bench.errors import DataError, Fault, SuiteError
from dalr_bench.orphans import temporary
from dalr_bench.plugin.manager import Plugins
from dalr_bench.publish.card import card
from dalr_bench.publish.cell import Cell
from dalr_bench.record.files import load_json, sync_folder

_PICKLED = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")
# Modules that every installation of the library has: what loads elsewhere without our code.
_STOCK = ("Transformer", "Pooling", "WeightedLayerPooling", "Dense", "Normalize")


def export(cell: Cell, plugins: Plugins, target: Path, force: bool = False) -> str:
    """Write the folder; returns its revision, a hash of all that decides its vectors.

    Raises SuiteError where `target` holds something already (`force` replaces it) and DataError where the run has no
    model folder, or one that others could not load.
    """
    _check_free(target, force)
    source = cell.folder / "model"
    _check_model(source)
    revision = revision_of(source)
    target = target.absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    with temporary(target) as part:
        part.mkdir()
        _copy(source, part)
        plugins.hooks.hook.model_exported(folder=str(part), config=dict(cell.config), record=cell.record.to_json())
        (part / "README.md").write_text(card(cell, plugins.catalogue, revision), encoding="utf-8")
        _sync(part)
        _put(part, target)
    return revision


def revision_of(folder: Path) -> str:
    """sha256 over names and contents of a model folder's files: equal folders give equal vectors."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            total.update(os.fsencode(path.relative_to(folder).as_posix()) + f":{content}\n".encode())  # any name a disk has
    return total.hexdigest()


def _check_free(target: Path, force: bool) -> None:
    if target.is_dir() and not any(target.iterdir()):
        return
    if (target.exists() or target.is_symlink()) and not (force and target.is_dir() and not target.is_symlink()):
        raise SuiteError(Fault("there is something already; --force replaces a folder", file=str(target)))


def _check_model(folder: Path) -> None:
    modules = folder / "modules.json"
    if not folder.is_dir():
        again = f"remove the folder {folder.parent} and give its `run` command again, without --retain none"
        raise DataError(Fault(f"this run kept no model; to have one, {again}", file=str(folder)))
    try:
        kinds = [str(module["type"]).rpartition(".")[2] for module in load_json(modules)]
    except FileNotFoundError:
        raise DataError(Fault("this backbone saves no sentence-transformers folder", file=str(folder))) from None
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(Fault(f"no list of modules: {error}", file=str(modules))) from None
    strange = [kind for kind in kinds if kind not in _STOCK]
    if strange:
        raise DataError(
            Fault(f"module {strange[0]} loads nowhere else; stock ones do: {', '.join(_STOCK)}", file=str(modules))
        )
    for path in folder.rglob("*"):
        if path.is_symlink() or path.suffix in _PICKLED:
            raise DataError(Fault("only plain files and safetensors are published", file=str(path)))


def _copy(source: Path, to: Path) -> None:
    """File by file: `copytree` goes on where the disk is full, and tells of every file at once."""
    for path in sorted(source.rglob("*")):
        place = to / path.relative_to(source)
        if path.is_dir():
            place.mkdir()
        else:
            shutil.copyfile(path, place)


def _put(part: Path, target: Path) -> None:
    """Rename into place; what was there goes aside first and comes back where the rename fails."""
    aside = part.with_name(f"{part.name}-old")
    if target.exists():
        target.rename(aside)
    try:
        part.rename(target)
    except OSError:
        if aside.exists():
            aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)
    sync_folder(target.parent)


def _sync(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
