"""One place for what every test shares: no network, one thread, and the data that is beside the project."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# cuBLAS reads it once, at its first product; a deterministic run later in the same process needs it set by then.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

import pytest
from filelock import FileLock
from pages import Block, blocks, lines_of

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("DALR_BENCH_SHARED", ROOT.parent / "shared"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also run tests that take minutes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--slow"):
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="takes minutes: run with --slow"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside the project. In CI it must be there; elsewhere its absence skips with the reason."""
    if not (SHARED / "data").is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"CI has no shared data at {SHARED}")
        pytest.skip("needs the shared data folder beside the project (DALR_BENCH_SHARED)")
    return SHARED


@pytest.fixture(autouse=True)
def _own_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DALR_BENCH_CACHE", str(tmp_path / "cache"))


# ------------------------------------------------------------------ what the tests of pages share
@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the results of the README's first everyday command, made once for all pages and processes."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "smoke"
    with FileLock(f"{shared}.lock"):
        if not shared.is_dir():
            making = shared.with_name("smoke-making")
            making.mkdir()
            (making / "suites").symlink_to(ROOT / "suites")
            line = lines_of(everyday())[0]
            assert line == "dalr-bench run suites/ablation.yaml --smoke"
            words = [sys.executable, "-m", "dalr_bench", *line.split()[1:]]
            environment = os.environ | {"DALR_BENCH_CACHE": str(making / "cache")}
            done = subprocess.run(words, cwd=making, capture_output=True, text=True, check=False, env=environment)
            assert done.returncode == 0, done.stderr
            (making / "printed").write_text(done.stdout)
            making.rename(shared)
    return shared


def everyday() -> Block:
    """The README's block of everyday commands."""
    return next(block for block in blocks(ROOT / "README.md", "bash") if "--smoke" in block.body)


@pytest.fixture
def workplace(smoke: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like a checkout in which the main job was run (small)."""
    # Pages only read suites; whatever a line writes stays in this folder.
    (tmp_path / "suites").symlink_to(ROOT / "suites")
    (tmp_path / "results").mkdir()
    for name in ("ablation", "ablation-smoke"):
        (tmp_path / "results" / name).symlink_to(smoke / "results" / "ablation-smoke")
    monkeypatch.setenv("DALR_BENCH_CACHE", str(smoke / "cache"))
    monkeypatch.delenv("DALR_BENCH_DATA", raising=False)
    return tmp_path
