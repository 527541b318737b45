"""The pages are run: every command, suite, program and output of README and docs/ is executed; links are followed."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from pages import PAGES, ROOT, Block, Done, blocks, lines_of, matches, name_of, run_elsewhere, run_line
from ruamel.yaml import YAML

from dalr_bench.plugin.manager import load
from dalr_bench.suite import expand
from dalr_bench.suite import load as load_suite
from dalr_bench.suite.keys import BASE, TOP

README = ROOT / "README.md"
RUN_HERE = [page for page in PAGES if not run_elsewhere(page) and blocks(page)]

# Every block that is not run in CI, by page and reason. Who marks one says so here too.
NOT_RUN = {
    ("docs/how-to/ray.md", "installs from an index"): 1,
    ("docs/how-to/slurm.md", "installs from an index"): 1,
    ("CONTRIBUTING.md", "sets up and runs all tests; .ci/run"): 1,
    ("README.md", "tests/test_docs.py::test_the_set_up_lines"): 2,
    ("docs/how-to/slurm.md", "needs a SLURM cluster"): 1,
    ("docs/how-to/ray.md", "needs a Ray cluster"): 1,
    ("docs/how-to/several-gpus.md", "needs two machines"): 1,
    ("docs/how-to/streams.md", "reads other machines, as tests/test_streams_from_afar.py does"): 1,
    ("docs/how-to/several-gpus.md", "needs a SLURM cluster"): 1,
    ("docs/tutorials/reproduce-dalr.md", "needs a GPU, the photos and the hub"): 2,
}
SLOW = {
    ("docs/evaluation.md", "minutes on a laptop"): 1,
    ("docs/how-to/several-gpus.md", "another grid on two processes"): 1,
}


# ------------------------------------------------------------------ blocks, by language
class Reader:
    """Follows one page from top to bottom as its reader would."""

    def __init__(self, folder: Path, request: pytest.FixtureRequest) -> None:
        self.folder, self.request = folder, request
        self.names: dict[str, object] = {"__name__": "page"}
        self.last = Done(0, "", "")
        # What a part of a suite is laid over: the page's latest suite, to begin with the README's.
        self.suite = "readme.yaml"
        (folder / self.suite).write_text(blocks(README, "yaml")[0].body)

    def follow(self, block: Block) -> None:
        """Do what a block says."""
        if block.mark == "not run" or (block.mark == "slow" and not self.request.config.getoption("--slow")):
            return
        if block.mark in ("output", "error"):
            said = self.last.out if block.mark == "output" else self.last.err
            assert matches(block.body, said), f"{block.where} shows\n{block.body}\nand not\n{said}"
        elif block.title:
            file = self.folder / block.title
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.body, encoding="utf-8")
            if block.language == "yaml" and block.title.endswith(".yaml"):
                self.plan(block)
        else:
            getattr(self, block.language or "text")(block)

    def bash(self, block: Block) -> None:
        """Every line runs; a `DATA` in it is the folder of real data, `export` holds for the page."""
        lines = lines_of(block)
        for number, line in enumerate(lines, 1):
            if re.search(r"\bDATA\b", line):
                line = re.sub(r"\bDATA\b", str(self.request.getfixturevalue("shared") / "data"), line)
            if line.startswith("export "):
                name, _, value = line.removeprefix("export ").partition("=")
                self.request.getfixturevalue("monkeypatch").setenv(name, value)
                continue
            self.last = run_line(line, self.folder)
            wanted = int(block.about) if block.mark == "exit" and number == len(lines) else 0
            assert self.last.code == wanted, f"{block.where}: {line}\n{self.last.out}\n{self.last.err}"

    def yaml(self, block: Block) -> None:
        """A suite, or a part of one."""
        self.plan(block)

    def plan(self, block: Block) -> None:
        """The block is a suite that plans, or a part: sections of `base`, or keys of a suite."""
        keys = re.findall(r"^([a-z]+):", block.body, re.MULTILINE)
        file = self.folder / (block.title or "page.yaml")
        if "suite" not in keys:
            base = bool(keys) and set(keys) <= set(BASE)
            assert base or (keys and set(keys) <= set(TOP)), f"{block.where}: {keys} are no keys of a suite"
            body = "base:\n" + re.sub(r"^", "  ", block.body, flags=re.MULTILINE) if base else block.body
            file.write_text(f"suite: page\nextends: {self.suite}\n{body}")
        elif block.title:
            self.suite = block.title
        else:
            file.write_text(block.body)
        assert expand(load_suite(str(file)), load().catalogue).runs

    def python(self, block: Block) -> None:
        """Programs of a page share their names."""
        exec(compile(block.body, block.where, "exec"), self.names)

    def toml(self, block: Block) -> None:
        """It parses."""
        assert tomllib.loads(block.body)

    def json(self, block: Block) -> None:
        """It parses."""
        assert json.loads(block.body)

    def text(self, block: Block) -> None:
        """Formulas and drawings: nothing to run. What was printed is marked `output`."""
        assert not block.body.lstrip().startswith(("$ ", "dalr-bench ", "error: ")), f"{block.where}: mark it `output`"


@pytest.mark.parametrize("page", RUN_HERE, ids=name_of)
def test_what_a_page_shows_is_what_happens(page: Path, workplace: Path, request: pytest.FixtureRequest) -> None:
    reader = Reader(workplace, request)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(workplace)
        for block in blocks(page):
            reader.follow(block)
    left = [path for path in workplace.rglob("*") if path.name.endswith((".part", ".tmp"))]
    assert not left


def test_nobody_marks_a_block_silently() -> None:
    """The tables at the top of this file are all the blocks that are not run, and why."""
    marked = [block for page in PAGES for block in blocks(page) if block.mark in ("not run", "slow")]
    assert all(block.about for block in marked), "a mark needs its reason"
    for kind, table in (("not run", NOT_RUN), ("slow", SLOW)):
        assert Counter((block.page, block.about) for block in marked if block.mark == kind) == table


def test_pages_that_are_run_elsewhere_are() -> None:
    found = [(name_of(page), run_elsewhere(page)) for page in PAGES if run_elsewhere(page)]
    assert found
    for page, test in found:
        assert Path(page).name in (ROOT / test).read_text(), f"{test} does not read {page}"


def test_a_page_is_judged_by_what_it_says(tmp_path: Path) -> None:
    """The marks and the comparison, on a page made for it."""
    assert matches("a  b\n... c", "a  b   \nanything\n c\n")
    assert not matches("a\n", "a\nb\n")
    assert not matches("[ab]", "a")
    assert run_line("dalr-bench plan nowhere.yaml", tmp_path).code == 2
    assert run_line("echo one | cat && dalr-bench --version", tmp_path).out.startswith("one\n")


# ------------------------------------------------------------------ the README's own promises
def test_the_set_up_lines() -> None:
    """Set-up and main job, set-up and tests: one line each. CI runs the second as it stands, a new machine the first."""
    first, second = (block.body.strip() for block in blocks(README, "bash")[:2])
    assert first.startswith("python3 -m venv .venv && .venv/bin/pip install -e . &&")
    assert first.endswith("dalr-bench run suites/ablation.yaml")
    assert second.endswith("nox -s tests")
    assert "\n" not in first + second


def test_the_smoke_run_prints_a_table(smoke: Path) -> None:
    assert "DALR" in (smoke / "printed").read_text()


def test_the_plugin_of_the_readme_is_a_teacher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's file and its entry point, installed as a distribution beside ours, rank sentences in a suite."""
    (code,), (entry,), (suite,) = (
        [block.body for block in blocks(README, kind)] for kind in ("python", "toml", "yaml")
    )
    (tmp_path / "word_length.py").write_text(code)
    info = tmp_path / "word_length-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: word-length\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        entry.replace("project.entry-points.dalr_bench", "dalr_bench").replace('"', "")
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert "word-length 1.0" in run_line("dalr-bench plugins word_length", tmp_path).out
    ranked = "  +rank: {teachers.words: {name: word_length}, losses.rank: {name: listmle, teacher: words}}\n"
    (tmp_path / "mine.yaml").write_text(suite + ranked)
    done = run_line("dalr-bench run mine.yaml --only +rank --seed 0", tmp_path)
    sys.modules.pop("word_length", None)
    assert done.code == 0, done.err
    assert "+rank" in done.out


# ------------------------------------------------------------------ links
def targets(page: Path) -> Iterator[str]:
    """Where a page's links lead; fenced blocks are no links."""
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    yield from re.findall(r"\]\(([^)\s]+)\)", text)


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md", ROOT / "results" / "README.md"], ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for target in targets(page):
        file = target.partition("#")[0]
        assert target.startswith(("http://", "https://", "#")) or (page.parent / file).exists(), f"{page}: {target}"


# ------------------------------------------------------------------ files about the project
def test_version_and_licence_are_told_alike() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = YAML(typ="safe").load((ROOT / "CITATION.cff").read_text())
    assert (citation["version"], citation["license"], citation["title"]) == (
        project["version"],
        project["license"],
        project["name"],
    )
    assert f"## {project['version']} " in (ROOT / "CHANGELOG.md").read_text()
    assert "Apache License" in (ROOT / "LICENSE").read_text()


def test_kept_results_are_kept() -> None:
    named = re.findall(r"`tables/([\w-]+)\.\*`", (ROOT / "docs" / "results.md").read_text())
    assert set(named) == {path.stem for path in (ROOT / "docs" / "tables").glob("*.jsonl")}
