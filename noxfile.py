"""Sessions of the project, run in the environment nox itself is installed in: `pip install -e '.[dev]'` is all the set-up."""

import sys

import nox

nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "types", "tests"]


@nox.session
def tests(session: nox.Session) -> None:
    """The test suite, two processes; `nox -s tests -- --slow` adds the tests that take minutes."""
    session.run(sys.executable, "-m", "pytest", "-n", "2", "--dist", "worksteal", "-m", "not gpu", *session.posargs)


@nox.session
def gpu_tests(session: nox.Session) -> None:
    """Tests that need a CUDA device; each skips where there is none."""
    session.run(sys.executable, "-m", "pytest", "-m", "gpu", *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """Runs killed at 50 moments, a disk that fails at every write, harmed checkpoints, 8 processes at once. Half an hour."""
    session.run(sys.executable, "-m", "pytest", "tests/faults", "--slow", "-s", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """2,000 mutated suites and 500 damaged results folders through the commands; CI takes a few of each."""
    session.run(sys.executable, "-m", "pytest", "-n", "2", "-s", "--slow", "tests/fuzz", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """ruff over everything."""
    session.run(sys.executable, "-m", "ruff", "check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """mypy --strict over the packages."""
    session.run(sys.executable, "-m", "mypy")


@nox.session
def docs(session: nox.Session) -> None:
    """The site, built strictly into site/; then every command and example of its pages is executed, and the site searched
    for what it would load from elsewhere."""
    # The theme's word on its own future is no warning about these pages.
    session.run(sys.executable, "-m", "mkdocs", "build", "--strict", env={"NO_MKDOCS_2_WARNING": "1"})
    tests = ("tests/test_docs.py", "tests/test_site.py")
    session.run(sys.executable, "-m", "pytest", "-q", *tests, *session.posargs)
