"""Little photos and caption files for the tests of sources and teachers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dalr_bench import DataError

COLOURS = ("red", "green", "blue", "white")


def write_photos(folder: Path, count: int = 3) -> list[str]:
    """`count` photos of one colour each, of different sizes; their names."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{100 + number}.jpg" for number in range(count)]
    for number, name in enumerate(names):
        Image.new("RGB", (8 + number, 6), COLOURS[number % len(COLOURS)]).save(folder / name)
    return names


def captions_of(name: str, count: int = 2) -> list[str]:
    """Different captions of one photo."""
    return [f"Photo {name.removesuffix('.jpg')}, said {number}." for number in range(count)]


def write_json_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    """One object a line."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def fault_of(act: Callable[[], Any]) -> str:
    """The one line a user sees for a data fault, which ends with exit code 4."""
    with pytest.raises(DataError) as caught:
        act()
    assert caught.value.exit_code == 4
    assert len(caught.value.faults) == 1
    text = str(caught.value)
    assert "\n" not in text
    return text
