from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
import vl_convert
from PIL import Image
from report_samples import write_hostile, write_trained

from dalr_bench.record.results import read_results
from dalr_bench.report.build import build_report
from dalr_bench.report.figures import Figure, listed
from dalr_bench.report.libraries import version
from dalr_bench.report.model import Dataset
from dalr_bench.report.pictures import WIDTH, fixed, write_pictures
from dalr_bench.report.sections import sections
from dalr_bench.report.theme import THEMES, config
from dalr_bench.table.model import Request


@pytest.fixture
def figures(tmp_path: Path) -> list[Figure]:
    report = build_report(read_results(write_trained(tmp_path / "pets")), Request())
    return [figure for section in sections(report) for figure in section.figures]


def test_every_figure_becomes_two_files(tmp_path: Path, figures: list[Figure]) -> None:
    assert [f.name for f in figures] == [
        "effects", "seeds", "training", "cost", "step", "memory", "tasks", "tradeoff", "others"
    ]  # fmt: skip
    written = write_pictures(tmp_path / "figures", figures)
    assert sorted(written) == sorted((tmp_path / "figures").iterdir())
    assert len(written) == 18
    for path in written:
        data = path.read_bytes()
        if path.suffix == ".pdf":
            assert data.startswith(b"%PDF-")
            assert len(data) > 3000
        else:
            image = Image.open(io.BytesIO(data)).convert("RGB")
            assert image.width >= WIDTH
            assert len(image.getcolors(maxcolors=1 << 24) or []) > 10


def test_a_picture_shows_the_numbers(figures: list[Figure]) -> None:
    """The effects' marks stand where the axis says: three points, left to right in the order of their differences."""
    figure = figures[0]
    svg = vl_convert.vegalite_to_svg(fixed(figure.standalone(config())), vl_version=version())
    assert svg.count('aria-roledescription="point"') == 3
    assert "variant: +CML" in svg
    assert "delta: +2.00" in svg


def test_the_drawing_of_a_hostile_name_is_text(tmp_path: Path) -> None:
    name = '<image href="x"/>'
    report = build_report(read_results(write_hostile(tmp_path / "h", name)), Request())
    for section in sections(report):
        for figure in section.figures:
            svg = vl_convert.vegalite_to_svg(fixed(figure.standalone(config())), vl_version=version())
            assert "<image" not in svg


def test_a_gradient_picture_where_it_was_recorded(tmp_path: Path) -> None:
    results = read_results(write_trained(tmp_path / "pets"))
    report = build_report(results, Request())
    cosines = Dataset("c", ("run", "pair", "step", "value"), [("baseline-one-0", "cosine(a, b)", 1, -0.5)])
    full = replace(report, data={**report.data, "conflicts": cosines})
    (section,) = [each for each in sections(full) if each.name == "agreement"]
    assert not section.absent
    svg = vl_convert.vegalite_to_svg(fixed(section.figures[0].standalone(config())), vl_version=version())
    assert "cosine(a, b)" in svg


def test_nothing_scored_is_said_everywhere(tmp_path: Path) -> None:
    results = read_results(write_trained(tmp_path / "pets"))
    empty = build_report(replace(results, records={}), Request())
    found = sections(empty)
    assert [section.name for section in found if section.figures] == ["training"]
    assert all(section.absent for section in found if section.name != "training")


def test_themes_differ_in_colour_only() -> None:
    light, dark = (json.dumps(THEMES[name]) for name in ("light", "dark"))
    assert light != dark
    assert list(THEMES["light"]) == list(THEMES["dark"])
    assert THEMES["light"]["axis"].keys() == THEMES["dark"]["axis"].keys()


def test_long_lists_are_cut() -> None:
    assert listed(["a", "b"]) == "a, b"
    assert listed(["a", "b", "c"], most=2) == "a, b and 1 more"
