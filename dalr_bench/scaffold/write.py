"""The files of a new distribution, from the templates of its kind; written whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from dalr_bench.errors import SuiteError
from dalr_bench.orphans import temporary

KINDS = ("teacher", "loss", "backbone", "source", "evaluator", "executor", "tracker", "template")
PLURAL = {kind: f"{kind}s" for kind in KINDS} | {"loss": "losses"}
# Where a template's output goes; `NAME` is the module's name.
_EVERY = {
    "pyproject.toml.j2": "pyproject.toml",
    "README.md.j2": "README.md",
    "check.yaml.j2": ".github/workflows/check.yaml",
    "gitignore.j2": ".gitignore",
}
_TEST = {"test.py.j2": "tests/test_NAME.py"}
_MODULE = {"component.py.j2": "NAME.py", **_TEST}
# Kinds that are more than one file are a package.
_PACKAGES = {
    "backbone": {"component.py.j2": "NAME/__init__.py", "network.py.j2": "NAME/network.py", **_TEST},
    "template": {"component.py.j2": "NAME/__init__.py", "table.txt.j2": "NAME/table.txt.j2", **_TEST},
}


def write(kind: str, name: str, module: str, folder: Path) -> list[Path]:
    """Write the distribution into `folder`, which must not be there. Returns its files, relative.

    Raises SuiteError where the folder exists or would be inside a file, OSError where it cannot be written.
    """
    if folder.exists():
        raise SuiteError(f"{folder} is there already: give another --to, or remove it")
    made = dict(_rendered(kind, name, module))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with temporary(folder) as part:
            for path, text in made.items():
                target = part / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text, encoding="utf-8")
            part.rename(folder)
    except (FileExistsError, NotADirectoryError) as error:
        raise SuiteError(f"{folder} cannot be made: {error.filename} is a file") from None
    return sorted(made)


def _rendered(kind: str, name: str, module: str) -> Iterator[tuple[Path, str]]:
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True)
    known = _values(kind, name, module)
    for folder, targets in (("every", _EVERY), (kind, _PACKAGES.get(kind, _MODULE))):
        for source, target in targets.items():
            text = (files("dalr_bench.scaffold") / "templates" / folder / source).read_text(encoding="utf-8")
            # A table's template is Jinja itself: it is copied as it stands.
            made = text if source == "table.txt.j2" else environment.from_string(text).render(known)
            yield Path(target.replace("NAME", module)), made


def _values(kind: str, name: str, module: str) -> Mapping[str, object]:
    from dalr_bench import __version__

    major, minor = (int(part) for part in __version__.split(".")[:2])
    title = "".join(word.capitalize() for word in module.split("_"))
    return {
        "kind": kind,
        "plural": PLURAL[kind],
        "name": name.replace("_", "-"),
        "module": module,
        "title": title,
        "shipped": module if kind in _PACKAGES else f"{module}.py",
        "range": f">={major}.{minor},<{major}.{minor + 1}",
    }
