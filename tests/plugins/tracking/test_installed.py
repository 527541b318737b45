"""A tracker's library is there, or the line that installs it is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from dalr_bench import PluginError
from dalr_bench_plugins.tracking.installed import require


def test_what_is_there_is_not_asked_for() -> None:
    require("json")


def test_what_is_missing_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "no_such_tracker" / "run-1").mkdir(parents=True)
    with pytest.raises(PluginError, match="needs a library: pip install 'dalr-bench\\[no_such_tracker\\]'"):
        require("no_such_tracker")
    monkeypatch.syspath_prepend(str(tmp_path))  # a folder it left behind is no library
    with pytest.raises(PluginError, match="needs a library"):
        require("no_such_tracker")
    assert PluginError.exit_code == 3
