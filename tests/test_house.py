"""What a machine can hold of the house's rules."""

from __future__ import annotations

import ast
import inspect
import io
import re
import resource
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from dalr_bench.errors import DataError
from dalr_bench.plugin.manager import Plugins, load
from dalr_bench.plugin.spec import REGISTERING, Hooks
from dalr_bench.suite import expand
from dalr_bench.suite import load as load_suite

ROOT = Path(__file__).resolve().parent.parent
CORE = ROOT / "dalr_bench"
PLUGINS = ROOT / "plugins" / "dalr_bench_plugins"
SOURCES = sorted([*CORE.rglob("*.py"), *PLUGINS.rglob("*.py")])
SUITES = sorted((ROOT / "suites").rglob("*.yaml"))

# Lower floors first: a module imports from floors below its own, and from its own package.
FLOORS = [
    {
        "errors",
        "imports",
        "types",
        "streamed",
        "protocols",
        "config",
        "cache",
        "caches",
        "cache_folder",
        "keeping",
        "stopping",
        "process",
        "orphans",
        "sending",
    },
    {"plugin"},
    {"record", "data", "execute", "statistics", "scaffold"},
    {"suite", "train", "evaluate", "table"},
    {"teaching", "streaming"},
    {
        "workshop",
        "scoring",
        "comparison",
        "report",
        "publish",
        "prefetching",
        "probing",
        "sharing",
        "telling",
        "folders",
        "checkup",
        "encoding_together",
    },
    {"dispatch", "turn", "restore", "benching", "growth", "racing"},
    {"looked_at"},
    {"job"},
    {"pipeline", "conformance", "following", "together"},
    {"working"},
    {"launched"},
    {"cli"},
]

# Papers, models, losses and data sets, as words of code. `dalr_bench` and `dalr-bench` are the project's own name.
# fmt: off
FORBIDDEN = (
    "simcse", "diffcse", "mcse", "kdmcse", "rankcse", "bert", "roberta", "distilbert", "mpnet", "modernbert",
    "minilm", "openclip", "open_clip", "siglip", "vit", "flickr", "coco", "wiki", "wiki1m", "senteval", "sts", "stsb",
    "sick", "trec", "mrpc", "mpqa", "subj", "sst", "banking77", "scenes", "infonce", "listmle", "listnet", "cma",
    "cml", "iml", "ima", "image_grounding", "global_to_local", "replaced_token", "ranking_consistency",
)
# fmt: on


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return load()


def imported(path: Path) -> Iterator[str]:
    """Modules of the core a file imports, as `dalr_bench.x.y`; what only the type checker reads does not count."""
    tree = ast.parse(path.read_text())
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (
                [f"{node.module}.{alias.name}" for alias in node.names]
                if node.module == "dalr_bench"
                else [node.module]
            )


def floor_of(part: str) -> int:
    return next((level for level, parts in enumerate(FLOORS) if part in parts), -1)


def test_imports_point_one_way() -> None:
    wrong, seen = [], 0
    for path in CORE.rglob("*.py"):
        own = path.relative_to(CORE).parts[0].removesuffix(".py")
        if own in ("__init__", "__main__"):
            continue
        for name in imported(path):
            part = name.split(".")[1] if name.startswith("dalr_bench.") else ""
            if floor_of(part) < 0 or part == own:
                continue
            seen += 1
            if floor_of(part) >= floor_of(own) and not (floor_of(own) == floor_of(part) == 0):
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert seen > 50
    assert not wrong, "\n".join(wrong)


def test_the_ground_floor_has_no_ring() -> None:
    edges = {
        part: {name.split(".")[1] for name in imported(CORE / f"{part}.py") if name.startswith("dalr_bench.")}
        & FLOORS[0]
        for part in FLOORS[0]
        if (CORE / f"{part}.py").exists()
    }
    while edges:
        free = [part for part, needs in edges.items() if not needs & set(edges)]
        assert free, f"these import each other: {edges}"
        for part in free:
            del edges[part]


def code_words(path: Path) -> Iterator[tuple[int, str]]:
    """Names and strings of a file that are code: no comments, no docstrings."""
    tree = ast.parse(path.read_text())
    holders = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docs = {
        node.body[0].lineno
        for node in ast.walk(tree)
        if isinstance(node, holders) and ast.get_docstring(node, clean=False)
    }
    for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
        if token.type == tokenize.NAME or (token.type == tokenize.STRING and token.start[0] not in docs):
            yield token.start[0], token.string


def test_the_core_names_no_paper_loss_model_or_data_set(plugins: Plugins) -> None:
    names = {item.name for item in plugins.catalogue if item.kind in ("loss", "teacher", "evaluator")} - {
        "run",
        "stored",
    }
    pattern = re.compile(
        rf"(?<![a-z0-9])({'|'.join(map(re.escape, sorted({*FORBIDDEN, *names}, key=len, reverse=True)))})(?![a-z0-9])",
        re.IGNORECASE,
    )
    found = [
        f"{path.relative_to(ROOT)}:{line}: {word}"
        for path in CORE.rglob("*.py")
        for line, word in code_words(path)
        if pattern.search(word.replace("dalr_bench", ""))
    ]
    # The contract itself names the evaluators of `score` and the commands `bench sts` and `bench transfer`.
    allowed = [line for line in found if "cli/score.py" in line or "cli/bench.py" in line]
    assert not set(found) - set(allowed), "\n".join(found)


def test_every_component_has_its_test_and_its_source(plugins: Plugins) -> None:
    missing, seen = [], 0
    for item in plugins.catalogue:
        if item.distribution != "dalr-bench" or item.kind == "command":
            continue
        seen += 1
        file = Path(inspect.getfile(item.factory))
        folder = {"loss": "losses"}.get(item.kind, f"{item.kind}s")
        candidates = [
            p
            for p in (PLUGINS / folder).glob("*.py")
            if f'"{item.name}"' in p.read_text() or f"'{item.name}'" in p.read_text()
        ]
        tests = [ROOT / "tests" / "plugins" / folder / f"test_{p.stem}.py" for p in candidates]
        if not any(test.is_file() for test in tests):
            missing.append(f"{item.kind} {item.name} ({file.name}) has no test file")
        text = (inspect.getdoc(item.factory) or "") + "".join(p.read_text() for p in candidates)
        if "source" not in text.lower():
            missing.append(f"{item.kind} {item.name} names no source")
    assert seen >= 20
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize("smoke", [False, True], ids=["full", "smoke"])
@pytest.mark.parametrize("path", SUITES, ids=lambda path: str(path.relative_to(ROOT / "suites")))
def test_every_shipped_suite_plans(
    path: Path, smoke: bool, plugins: Plugins, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    if "data/" in path.read_text() or "real" in path.name:
        monkeypatch.setenv("DALR_BENCH_DATA", str(request.getfixturevalue("shared") / "data"))
    try:
        plan = expand(load_suite(path, smoke=smoke), plugins.catalogue)
    except DataError:
        # Files nobody can ship; tests/suites/test_methods.py plans these suites with stand-ins. Smoke needs none.
        assert not smoke
    else:
        assert plan.runs


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True)


@pytest.mark.parametrize("line", ["--help", "plan --help", "run --help", "table --help"])
def test_help_imports_nothing_heavy(line: str) -> None:
    code = (
        "import sys\nfrom dalr_bench.cli.main import main\n"
        f"try:\n    main({line.split()!r})\nexcept SystemExit:\n    pass\n"
        "print('HEAVY', sorted({'torch', 'pandas', 'transformers', 'scipy', 'numpy'} & set(sys.modules)))"
    )
    out = run("-c", code).stdout
    assert "HEAVY []" in out
    assert "Example" in out


def test_help_is_instant() -> None:
    best = 9.0
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run("-m", "dalr_bench", "plan", "--help")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)  # its own seconds, whatever else the machine does
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert best < 0.3


def test_listing_components_loads_no_torch() -> None:
    out = run(
        "-c",
        "import sys\nfrom dalr_bench.plugin.manager import load\nassert load().catalogue.names('loss')\n"
        "print('torch._C' in sys.modules, 'transformers.models' in sys.modules)",
    )
    assert out.stdout.split() == ["False", "False"]


def test_torchvision_lets_the_others_import() -> None:
    code = (
        "import dalr_bench, transformers, sentence_transformers, open_clip\nfrom transformers import BertModel, CLIPModel\n"
        "import torchvision, torch\nprint(torchvision.__version__, torch.__version__)"
    )
    assert run("-W", "ignore", "-c", code).stdout.strip()


def test_files_and_functions_are_small() -> None:
    long_files = [
        f"{path.relative_to(ROOT)}: {n}" for path in SOURCES if (n := len(path.read_text().splitlines())) > 300
    ]
    assert not long_files, long_files
    lengths = [
        (node.end_lineno or 0) - node.lineno + 1
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert len(lengths) > 300
    assert sum(length <= 35 for length in lengths) / len(lengths) >= 0.95


def test_names_say_what_a_thing_is() -> None:
    assert not [path for path in SOURCES if path.stem in ("utils", "helpers", "common", "base", "misc")]


def test_nothing_unpickles_and_nothing_runs_remote_code() -> None:
    bad = re.compile(r"\bpickle\.|\bdill\b|yaml\.load\(|\beval\(|\bexec\(|trust_remote_code=True|os\.system|shell=True")
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in SOURCES
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if bad.search(line) and ".eval(" not in line
    ]
    assert not found, "\n".join(found)
    loads = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in SOURCES
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if "torch.load(" in line and "weights_only=True" not in line
    ]
    assert not loads, loads


def test_every_hook_is_documented() -> None:
    hooks = [name for name in vars(Hooks) if not name.startswith("_")]
    assert set(REGISTERING) < set(hooks)
    assert all(getattr(Hooks, name).__doc__ for name in hooks)


def test_no_machine_and_no_registry_is_named() -> None:
    files = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    pattern = re.compile(
        r"(?<![\w.])/(?:work|root|home|Users|mnt|tmp)/\w|pypi\.org|files\.pythonhosted|download\.pytorch|deb\.debian|registry\.npmjs"
    )
    found = []
    for name in files:
        if (
            Path(name).suffix in (".py", ".md", ".toml", ".yaml", ".yml", ".json", ".j2", ".cfg", "")
            and (ROOT / name).is_file()
            and name != "tests/test_house.py"
        ):
            found += [
                f"{name}:{n}: {line[:100]}"
                for n, line in enumerate((ROOT / name).read_text(errors="replace").splitlines(), 1)
                if pattern.search(line)
            ]
    assert not found, "\n".join(found)
