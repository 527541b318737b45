"""Pictures of the report for docs/: `python tools/report_pictures.py results/ablation` (needs chromium and the extra dev)."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from dalr_bench.cli.main import entry

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
LARGE: dict[str, Any] = {"viewport": {"width": 1200, "height": 900}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 800}, "is_mobile": True, "has_touch": True}
# Name → colours and size of the screen, and the part of the page that is shown.
SHOTS = {
    "report-light": ({**LARGE, "color_scheme": "light"}, "table"),
    "report-dark": ({**LARGE, "color_scheme": "dark"}, "effects"),
    "report-phone": ({**PHONE, "color_scheme": "light"}, "effects"),
}


def main(results: Path) -> None:
    """Make the page of `results` and take the three pictures docs/report.md shows."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        page_file = Path(folder) / "report.html"
        entry.main(["report", str(results), "--out", str(page_file)], standalone_mode=False)
        browser = driver.chromium.launch(executable_path=chromium, args=["--headless", "--no-sandbox"])
        for name, (screen, section) in SHOTS.items():
            page = browser.new_context(**screen).new_page()
            page.goto(page_file.as_uri())
            page.locator("#canvas-effects").scroll_into_view_if_needed()
            page.wait_for_selector("#canvas-effects.drawn svg.marks")
            page.evaluate(f"document.getElementById('{section}').scrollIntoView()")
            page.wait_for_timeout(1_000)
            page.screenshot(path=str(IMAGES / f"{name}.png"))
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
