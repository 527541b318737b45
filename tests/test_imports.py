"""A deferred package loads once, at its first use, however that comes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

START = """
import sys
from dalr_bench.imports import deferred
with deferred("late"):
    import late
assert "late.part" not in sys.modules, "nothing is loaded yet"
"""


@pytest.fixture
def late(tmp_path: Path) -> Path:
    """A package whose own start imports its part, as torch's does; each load is one printed line."""
    (tmp_path / "late" / "part").mkdir(parents=True)
    (tmp_path / "late" / "__init__.py").write_text("print('late')\nimport late.part.inner\nvalue = 3\n")
    (tmp_path / "late" / "part" / "__init__.py").write_text("print('part')\n")
    (tmp_path / "late" / "part" / "inner.py").write_text("print('inner')\n")
    return tmp_path


@pytest.mark.parametrize(
    "use",
    [
        "assert late.value == 3",
        "from late import part",
        "import late.part",
        "import late.part.inner",
        "from late.part import inner",
        "import late.part.inner, importlib\nassert importlib.util.find_spec('late.part').origin.endswith('__init__.py')",
    ],
)
def test_the_first_use_loads_every_module_once(use: str, late: Path) -> None:
    after = "\nassert late.part is sys.modules['late.part'] and late.part.inner is sys.modules['late.part.inner']"
    done = subprocess.run([sys.executable, "-c", START + use + after], cwd=late, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["late", "part", "inner"]


def test_a_module_may_be_loaded_again_on_purpose(late: Path) -> None:
    use = "import late.part\nfrom importlib import reload\nreload(late.part)\n"
    done = subprocess.run([sys.executable, "-c", START + use], cwd=late, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["late", "part", "inner", "part"]
