from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from report_samples import write_hostile, write_trained

from dalr_bench.record.results import read_results
from dalr_bench.report.build import build_report
from dalr_bench.report.libraries import script
from dalr_bench.report.page import embedded, render_page
from dalr_bench.report.sections import sections
from dalr_bench.table.model import Request

HOSTILE = [
    "<script>window.hurt=1</script>",
    "</script><script>window.hurt=1</script>",
    '"><img src=x onerror="window.hurt=1">',
    "{{ 7*7 }}{% for x in y %}${window.hurt=1}",
    "<!--<script>",
    "'); window.hurt=1; //\\",
    "](javascript:window.hurt=1)\u2028&lt;b&gt;\u202e",
]
VOID = {"meta", "link", "input", "br", "img"}
ADDRESSES = ("src", "href", "action", "data", "poster", "srcset", "formaction", "background")


class Page(HTMLParser):
    """What a browser would make of the page: elements with their attributes, the text of each script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.scripts: list[tuple[dict[str, str], str]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.found.append((tag, given))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append((given, ""))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[-1] = (self.scripts[-1][0], self.scripts[-1][1] + data)
        else:
            self.words.append(data)

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.found if name == tag]

    def blob(self, name: str) -> Any:
        (text,) = [text for attributes, text in self.scripts if attributes.get("id") == name]
        return json.loads(text)


def make(folder: Path, out: Path) -> Page:
    results = read_results(folder)
    report = build_report(results, Request())
    page = Page(render_page(report, sections(report), results.folder, out))
    assert page.open == []
    return page


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    folder = tmp_path_factory.mktemp("results") / "pets"
    return make(write_trained(folder), folder.parent / "pages" / "report.html")


def test_the_page_asks_for_nothing(page: Page) -> None:
    addresses = [value for _, given in page.found for name, value in given.items() if name in ADDRESSES]
    assert len(addresses) > 40
    assert not [address for address in addresses if re.match(r"\w+:|//", address) and address != "data:,"]
    assert not page.of("iframe") + page.of("img") + page.of("object") + page.of("base")
    styles = "".join(word for word in page.words if "{" in word)
    assert "url(" not in styles
    assert "@import" not in styles
    (policy,) = [m["content"] for m in page.of("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in policy
    assert "'unsafe-inline'" not in policy.split("style-src")[0]


def test_links_lead_to_the_files_of_the_runs(page: Page) -> None:
    links = [link["href"] for link in page.of("a")]
    assert "../pets/baseline-one-0/config.json" in links
    assert "../pets/%2BCML-one-0/steps.jsonl" in links
    inner = [link[1:] for link in links if link.startswith("#")]
    ids = [given["id"] for _, given in page.found if "id" in given]
    assert len(ids) == len(set(ids))
    assert set(inner) <= set(ids)


def test_a_screen_reader_finds_its_way(page: Page) -> None:
    tags = [tag for tag, _ in page.found]
    assert [tags.count(tag) for tag in ("main", "header", "nav", "h1")] == [1, 1, 1, 1]
    assert page.of("html") == [{"lang": "en"}]
    assert all(head.get("scope") for head in page.of("th"))
    assert tags.count("caption") == tags.count("table") >= 3
    labels = {given.get("aria-labelledby") or given.get("aria-label") for given in page.of("section")}
    assert labels <= {given["id"] for given in page.of("h2")}
    assert all(canvas["aria-label"] for canvas in page.of("div") if canvas.get("class") == "canvas")
    assert all(given.get("type") == "button" for given in page.of("button"))
    assert not [given for _, given in page.found if any(name.startswith("on") for name in given)]


def test_every_section_is_there(page: Page) -> None:
    names = [given["id"] for given in page.of("section")]
    assert names == [
        "table", "effects", "seeds", "training", "agreement", "cost", "tasks", "tradeoff", "others", "runs",
        "environment",
    ]  # fmt: skip
    text = " ".join(page.words)
    assert "were not recorded in these runs" in text
    assert "12 done" in text
    assert "1 failed" in text
    assert "9 missing" in text
    assert "failed: the loss is NaN (seed 2)" in text
    assert "SMT" in text


def test_scripts_find_what_they_read(page: Page) -> None:
    figures = page.blob("figures")
    assert set(figures) == {given["data-figure"] for given in page.of("figure")}
    for figure in figures.values():
        for name in figure["data"]:
            data = page.blob(f"data-{name}")
            assert all(len(row) == len(data["fields"]) for row in data["rows"])
        assert figure["spec"]["description"]
        assert "data" not in figure["spec"] or "url" not in figure["spec"]["data"]
    assert page.blob("configs")["baseline-one-0"]["needs"][0]["variant"] == "teacher"
    told = page.blob("origins")
    assert told["sets"][told["of"]["baseline-one-0"]]["losses.rank.tau"] == "pets.yaml:14:9"
    assert len(told["sets"]) == 1
    assert set(page.blob("themes")) == {"light", "dark"}


@pytest.mark.parametrize("name", HOSTILE)
def test_words_of_strangers_stay_words(tmp_path: Path, page: Page, name: str) -> None:
    hostile = make(write_hostile(tmp_path / "h", name), tmp_path / "r.html")
    ours, theirs = (
        [(g.get("id"), g.get("type")) for g, _ in each.scripts if not g.get("id", "").startswith("data-")]
        for each in (page, hostile)
    )
    assert theirs == ours
    assert {tag for tag, _ in hostile.found} <= {tag for tag, _ in page.found} | {"li", "ol"}
    assert not [given for _, given in hostile.found if any(attribute.startswith("on") for attribute in given)]
    assert hostile.blob("configs")["base-0"][name] == name
    assert hostile.blob("origins")["sets"] == [{name: name}]
    assert "49" not in hostile.of("tbody")[0].get("data-group", "")
    assert [link["href"] for link in hostile.of("a") if "odd" in link["href"]] == ["h/base-0/odd%20%26%20%3Cb%3E.txt"]


def test_names_are_no_code_in_a_chart(tmp_path: Path) -> None:
    """An expression is code, so no expression may hold a name: charts of two suites differ in none."""

    def expressions(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [v for k, v in value.items() if k in ("expr", "filter", "calculate") and isinstance(v, str)]
            return own + [each for v in value.values() for each in expressions(v)]
        return [each for v in value for each in expressions(v)] if isinstance(value, list) else []

    def of(name: str) -> list[str]:
        figures = make(write_hostile(tmp_path / str(len(name)), name), tmp_path / "r.html").blob("figures")
        return sorted(each for figure in figures.values() for each in expressions(figure["spec"]))

    assert of(HOSTILE[5]) == of("plain")
    assert len(of("plain")) > 10


def test_json_cannot_end_its_element() -> None:
    value = {"a": "</script><!--", "b": "&\u2028\u2029", "c": [1.5, None]}
    text = embedded(value)
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == value
    with pytest.raises(ValueError, match="not JSON compliant"):
        embedded(float("nan"))


def test_the_plotting_script_is_whole() -> None:
    assert "window.vegaEmbed=" in script().replace(" ", "")
    assert "</script" not in script().lower()
    assert script() is script()
