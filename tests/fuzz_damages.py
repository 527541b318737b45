"""Damages: what power cuts, full disks, other programs and strangers leave of a results folder."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fuzz_mutations import TEXTS, anything, of_bytes, of_tree

_ODD = [text for text in TEXTS if text not in ("", ".", "..") and "/" not in text and "\x00" not in text]
_ODD = [
    text for text in _ODD if (len(text) < 200 and text.isprintable()) or text in ("\x1b[31mred\x1b[0m", "\u202eevil")
]


def damage(results: Path, elsewhere: Path, random_: random.Random) -> list[str]:
    """Damage one to three things below `results`; `elsewhere` is a folder no command may touch."""
    told = []
    for _ in range(random_.choice((1, 1, 2, 3))):
        paths = sorted(path for path in results.rglob("*") if not path.is_symlink())
        files = [path for path in paths if path.is_file()]
        # Records, summaries and checkpoints are few among many files.
        main = [path for path in files if path.suffix in (".json", ".jsonl") and path.parent.parent.name != "model"]
        path = random_.choice(random_.choice((files, main, main, [p for p in paths if p.is_dir()] or files)))
        kind = random_.choice(_OF_FOLDERS if path.is_dir() else _OF_JSON if path.suffix == ".json" else _OF_FILES)
        told.append(f"{kind.__name__.lstrip('_')} {path.relative_to(results)}")
        kind(path, elsewhere, random_)
    return told


def _gone(path: Path, _: Path, __: random.Random) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def _cut(path: Path, _: Path, random_: random.Random) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: random_.choice((0, 1, len(data) // 2, max(0, len(data) - 1)))])


def _garbled(path: Path, _: Path, random_: random.Random) -> None:
    path.write_bytes(of_bytes(path.read_bytes(), random_))


def _flipped(path: Path, _: Path, random_: random.Random) -> None:
    data = bytearray(path.read_bytes() or b"x")
    data[random_.randrange(len(data))] ^= 1 << random_.randrange(8)
    path.write_bytes(data)


def _a_folder(path: Path, _: Path, __: random.Random) -> None:
    path.unlink()
    (path / "inside").mkdir(parents=True)


def _a_link(path: Path, elsewhere: Path, random_: random.Random) -> None:
    """To a file or a folder elsewhere, to nothing, or to itself."""
    _gone(path, elsewhere, random_)
    target = random_.choice((elsewhere / "kept.json", elsewhere / "kept", elsewhere / "nothing", path))
    os.symlink(target, path)


def _another_value(path: Path, _: Path, random_: random.Random) -> None:
    """Still JSON, of another shape; NaN and lone surrogates as well."""
    text = json.dumps(anything(random_), ensure_ascii=random_.random() < 0.5)
    path.write_bytes(text.encode("utf-8", "surrogatepass"))


def _other_values(path: Path, _: Path, random_: random.Random) -> None:
    path.write_bytes(of_tree(json.loads(path.read_bytes() or b"null"), random_))


def _deep(path: Path, _: Path, random_: random.Random) -> None:
    path.write_bytes(random_.choice((b"[", b'{"a":')) * random_.choice((500, 100_000)))


def _a_file(path: Path, _: Path, __: random.Random) -> None:
    shutil.rmtree(path)
    path.write_text("a file where a folder was")


def _strangers_inside(path: Path, _: Path, random_: random.Random) -> None:
    for name in random_.sample(_ODD, 3):
        place = path / name
        if random_.random() < 0.5:
            place.mkdir(exist_ok=True)
            (place / "record.json").write_text(json.dumps(anything(random_)))
        elif not place.exists():
            place.write_bytes(os.urandom(20))
    with_bytes = os.fsencode(path) + b"/\xff\xfe"
    os.makedirs(with_bytes, exist_ok=True)
    with open(with_bytes + b"/record.json", "wb") as file:
        file.write(b"{}")


def _twice(path: Path, _: Path, random_: random.Random) -> None:
    shutil.copytree(path, path.with_name(f"{path.name} (copy)"), dirs_exist_ok=True, symlinks=True)


_Kind = Callable[[Path, Path, random.Random], Any]
_OF_FILES: tuple[_Kind, ...] = (_gone, _cut, _garbled, _flipped, _a_folder, _a_link)
_OF_JSON: tuple[_Kind, ...] = (*_OF_FILES, _another_value, _other_values, _other_values, _other_values, _deep)
_OF_FOLDERS: tuple[_Kind, ...] = (_gone, _a_file, _a_link, _strangers_inside, _strangers_inside, _twice)
