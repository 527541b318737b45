"""The page in a real browser: Debian's chromium, driven by Playwright. Nothing is asked of any network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from report_samples import write_hostile, write_many, write_trained

from dalr_bench.record.results import read_results
from dalr_bench.report.build import build_report
from dalr_bench.report.page import render_page
from dalr_bench.report.sections import sections
from dalr_bench.table.model import Request

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CHARTS = ["effects", "seeds", "training", "cost", "step", "memory", "tasks", "tradeoff", "others"]
# The driver's pipes, closed by its process's end.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """CI has it (.ci/run); elsewhere its absence skips with the reason."""
    if CHROMIUM is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("needs chromium: apt-get install chromium")
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install 'dalr-bench[dev]'")
    with sync_api.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


def save(folder: Path) -> Path:
    results = read_results(folder)
    report = build_report(results, Request())
    out = folder.parent / "report.html"
    out.write_text(render_page(report, sections(report), results.folder, out), encoding="utf-8")
    return out


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(write_trained(tmp_path_factory.mktemp("page") / "pets"))


@pytest.fixture
def opened(browser: Any) -> Iterator[Any]:
    """Opens a page; at the end nothing may have gone wrong and nothing but the page may have been asked for."""
    told: list[str] = []
    asked: list[str] = []
    contexts: list[Any] = []

    def visit(file: Path, **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1200, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: told.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: told.append(f"error: {error}"))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(file.as_uri())
        return page

    yield visit
    for context in contexts:
        context.close()
    assert told == []
    assert {url for url in asked if not url.startswith(("data:", "blob:"))} <= {file.as_uri() for file in _FILES}
    assert len(asked) >= len(contexts)


_FILES: set[Path] = set()


@pytest.fixture(autouse=True)
def _known(file: Path) -> None:
    _FILES.add(file)


def reveal(page: Any, *names: str) -> None:
    for name in names:
        page.locator(f"#canvas-{name}").scroll_into_view_if_needed()
        page.wait_for_selector(f"#canvas-{name}.drawn svg.marks")


def first_group(page: Any) -> list[str]:
    rows = page.locator("#results tbody").first.locator("tr:not(.group)")
    return [rows.nth(k).get_attribute("data-name") for k in range(rows.count())]


def test_the_table_sorts(opened: Any, file: Path) -> None:
    page = opened(file)
    head = page.locator("#results th", has=page.get_by_role("button", name="STS12"))
    before = first_group(page)
    page.get_by_role("button", name="STS12").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert first_group(page) == ["DALR", "+CML", "baseline", "floor"]
    page.get_by_role("button", name="STS12").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert first_group(page) == ["floor", "baseline", "+CML", "DALR"]
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "none"
    assert first_group(page) == before
    page.get_by_role("button", name="row", exact=True).click()
    assert first_group(page)[-1] == "floor"


def test_the_table_filters_and_hides(opened: Any, file: Path) -> None:
    page = opened(file)
    page.get_by_label("Filter rows").fill("cml two")
    assert page.locator("#results tbody tr:not(.group):visible").count() == 1
    assert page.locator("#found").text_content() == "1 of 9 shown"
    page.get_by_label("Filter rows").fill("")
    assert page.locator("#results tbody tr:not(.group):visible").count() == 9
    assert page.locator("#results .std:visible").count() > 3
    page.get_by_label("± std").uncheck()
    assert page.locator("#results .std:visible").count() == 0
    page.get_by_label("Δ").uncheck()
    assert page.locator("#results .delta:visible").count() == 0
    page.get_by_text("Columns", exact=True).click()
    page.locator("input.column").first.uncheck()
    assert page.locator('#results [data-column="0"]:visible').count() == 0
    assert page.locator('#results [data-column="1"]:visible').count() > 5
    page.keyboard.press("Escape")
    assert not page.locator("input.column").first.is_visible()


def test_charts_are_drawn_when_they_come_into_view(opened: Any, file: Path) -> None:
    page = opened(file, viewport={"width": 900, "height": 300})
    assert page.locator(".canvas.drawn").count() == 0
    reveal(page, *CHARTS)
    assert page.locator(".canvas.drawn").count() == len(CHARTS)
    drawing = page.locator("#canvas-effects [role=graphics-document]")
    assert drawing.get_attribute("aria-label").startswith("Differences of +CML, DALR to baseline")


def test_a_mark_tells_its_numbers(opened: Any, file: Path) -> None:
    page = opened(file)
    reveal(page, "effects")
    page.locator("#canvas-effects [aria-roledescription=point]").first.hover()
    page.wait_for_selector("#vg-tooltip-element.visible")
    told = page.locator("#vg-tooltip-element").text_content()
    assert "+2.00" in told
    assert "-0.48" in told.replace("−", "-")


def test_a_menu_chooses_the_column(opened: Any, file: Path) -> None:
    page = opened(file)
    reveal(page, "effects")
    assert page.locator("#canvas-effects svg").get_by_text("Avg", exact=True).count() == 1
    page.locator("#canvas-effects select").select_option("STS12")
    page.wait_for_function("document.querySelector('#canvas-effects svg').textContent.includes('STS12')")
    page.get_by_role("button", name="Theme").click()
    page.wait_for_timeout(500)
    assert page.locator("#canvas-effects select").input_value() == "STS12"


def test_a_brush_chooses_steps(opened: Any, file: Path) -> None:
    page = opened(file)
    reveal(page, "training")
    page.locator("#canvas-training select").first.select_option("loss")
    points = "#canvas-training [aria-roledescription=point]"
    page.wait_for_function(f"document.querySelectorAll('{points}').length > 20")
    every = page.locator(points).count()
    strip = page.locator("#canvas-training svg .strip_group path.background").first.bounding_box()
    middle = strip["y"] + strip["height"] / 2
    page.mouse.move(strip["x"] + strip["width"] * 0.2, middle)
    page.mouse.down()
    page.mouse.move(strip["x"] + strip["width"] * 0.8, middle, steps=6)
    page.mouse.up()
    page.wait_for_function(f"document.querySelectorAll('{points}').length < {every}")
    assert page.locator(points).count() == every / 2  # steps 2 and 3 of 4
    page.get_by_label("From step").fill("3")
    page.wait_for_function(f"document.querySelectorAll('{points}').length == {every // 4}")
    page.get_by_role("combobox", name="Variant").first.select_option("DALR")
    page.wait_for_function(f"document.querySelectorAll('{points}').length == 3")  # a seed that failed has a log too


def test_themes(opened: Any, file: Path) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    page = opened(file, color_scheme="dark")
    assert page.evaluate(paper) == "rgb(21, 24, 28)"
    reveal(page, "effects")
    ink = page.locator("#canvas-effects svg text").first.get_attribute("fill")
    page.locator("#theme").click()
    assert page.evaluate(paper) == "rgb(255, 255, 255)"
    page.wait_for_function(f"document.querySelector('#canvas-effects svg text').getAttribute('fill') != '{ink}'")
    page.locator("#theme").click()
    assert page.locator("#theme").text_content() == "Theme: dark"
    page.reload()
    assert page.evaluate(paper) == "rgb(21, 24, 28)"


def test_a_phone_is_wide_enough(opened: Any, file: Path) -> None:
    page = opened(file, viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    reveal(page, *CHARTS)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_what_is_opened_is_filled_in(opened: Any, file: Path) -> None:
    page = opened(file)
    run = page.locator("details.run", has_text="baseline-one-0").first
    run.locator("summary").click()
    run.locator(".set-by tbody").wait_for()
    assert '"needs"' in run.locator("pre").text_content()
    lines = run.locator(".set-by tbody tr")
    assert [lines.nth(k).inner_text().split("\t") for k in range(lines.count())] == [
        ["losses.rank.tau", "0.25", "pets.yaml:14:9"],
        ["train.steps", "4", "--set"],
        ["evaluate.0.limit", "null", "default"],
    ]
    page.get_by_label("Filter runs").fill("failed")
    assert page.locator("#all-runs > tbody > tr:visible").count() == 1
    assert "the loss is NaN" in page.locator("#all-runs > tbody > tr:visible").text_content()
    details = page.locator('details.numbers[data-figure="effects"]')
    details.locator("summary").click()
    details.locator("tbody").wait_for()
    assert details.locator("tbody tr").count() == 14
    assert details.locator("th[scope=col]").first.text_content() == "variant"


def test_printing_draws_every_chart(opened: Any, file: Path) -> None:
    page = opened(file, color_scheme="dark")
    page.evaluate("window.print = () => { window.printed = document.querySelectorAll('.canvas.drawn').length; }")
    page.get_by_role("button", name="Print").click()
    page.wait_for_function("window.printed")
    assert page.evaluate("window.printed") == len(CHARTS)
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator("nav").is_visible()
    assert page.pdf().startswith(b"%PDF-")


@pytest.mark.parametrize("name", ["</script><script>window.hurt=1</script>", '"><img src=x onerror="window.hurt=1">'])
def test_hostile_names_do_nothing(opened: Any, tmp_path: Path, name: str) -> None:
    out = save(write_hostile(tmp_path / "h", name))
    _FILES.add(out)
    page = opened(out)
    reveal(page, "effects", "seeds", "training", "tasks", "others")
    page.locator("#canvas-seeds [aria-roledescription=point]").first.hover()
    page.wait_for_selector("#vg-tooltip-element.visible")
    page.locator("details.run").first.locator("summary").click()
    page.locator("details.numbers").first.locator("summary").click()
    assert page.evaluate("window.hurt") is None
    assert name in page.title()


def test_two_hundred_runs_open_in_two_seconds(opened: Any, tmp_path: Path) -> None:
    out = save(write_many(tmp_path / "many"))
    _FILES.add(out)
    times = []
    for _ in range(3):
        page = opened(out)
        times.append(page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd"))
    assert page.locator("#all-runs > tbody > tr").count() == 200
    assert min(times) < 2000, times
    page.locator("#canvas-training").scroll_into_view_if_needed()
    page.wait_for_selector("#canvas-training.drawn svg.marks", timeout=15_000)
    print(f"opened in {[round(t) for t in times]} ms, {out.stat().st_size:,} bytes")
