"""The site builds without a warning, and neither the build nor a reader's browser asks anybody for anything."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# Attributes by which a page loads something; `a` only leads somewhere.
LOADS = {
    "script": "src",
    "link": "href",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "object": "data",
    "video": "src",
}
# Links that a browser does not load.
QUIET = {"canonical", "next", "prev"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `nox -s docs` builds it, with no way out: proxies lead nowhere."""
    folder = tmp_path_factory.mktemp("site")
    environment = {
        "PATH": "",
        "NO_MKDOCS_2_WARNING": "1",
        "HTTPS_PROXY": "http://0.0.0.0:9",
        "HTTP_PROXY": "http://0.0.0.0:9",
    }
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


class Loaded(HTMLParser):
    """Collects what a page loads, and its inline styles."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if "style" in given:
            self.found += in_css(given["style"] or "")
        if tag in LOADS and not (tag == "link" and set((given.get("rel") or "").split()) & QUIET):
            self.found.append(given.get(LOADS[tag]) or "")


def in_css(text: str) -> list[str]:
    return re.findall(r"""url\(\s*["']?([^"')]+)""", text) + re.findall(r"""@import\s+["']([^"']+)""", text)


def loaded(site: Path) -> Iterator[tuple[str, str]]:
    """(file, what it loads) over all pages and style sheets."""
    for page in site.rglob("*.html"):
        parser = Loaded()
        text = page.read_text(encoding="utf-8")
        parser.feed(text)
        inline = [css for style in re.findall(r"<style[^>]*>(.*?)</style>", text, re.DOTALL) for css in in_css(style)]
        yield from ((page.name, target) for target in parser.found + inline)
    for sheet in site.rglob("*.css"):
        yield from ((sheet.name, target) for target in in_css(sheet.read_text(encoding="utf-8")))


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    found = list(loaded(site))
    assert len(found) > 50
    outside = [(file, target) for file, target in found if re.match(r"(?i)(https?:)?//", target)]
    assert not outside, outside


def test_no_page_makes_the_theme_fetch_a_script(site: Path) -> None:
    """The theme's script would fetch a drawing library for a diagram, a polyfill for old browsers, facts of a repository."""
    pages = {page: page.read_text(encoding="utf-8") for page in site.rglob("*.html")}
    assert pages
    assert not [page.name for page, text in pages.items() if "mermaid" in text or 'data-md-component="source"' in text]


def test_every_page_is_in_the_search(site: Path) -> None:
    index = (site / "search" / "search_index.json").read_text(encoding="utf-8")
    pages = [page.relative_to(ROOT / "docs").with_suffix(".html").as_posix() for page in (ROOT / "docs").rglob("*.md")]
    assert len(pages) > 10
    assert not [page for page in pages if page != "index.html" and f'"{page}' not in index.replace(" ", "")]
