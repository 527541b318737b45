"""`plugins new`: a distribution of every kind installs, passes its own tests and keeps the contract as it is written."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from fresh_venv import Venv, fresh_venv

from dalr_bench.cli.main import main
from dalr_bench.scaffold.write import KINDS, write
from dalr_bench.types import KINDS as EVERY_KIND


def new(*words: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(["plugins", "new", *words])
    return int(left.value.code or 0)


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Venv:
    """One environment in which one plugin of every kind is installed."""
    root = tmp_path_factory.mktemp("every-kind")
    made = fresh_venv(root / "venv")
    for kind in KINDS:
        write(kind, f"my-{kind}", f"my_{kind}", root / f"my-{kind}")
    made.install(*(root / f"my-{kind}" for kind in KINDS))
    return made


@pytest.fixture(scope="module")
def verdicts(venv: Venv) -> dict[str, list[dict[str, str]]]:
    """What one `plugins check` says of all of them."""
    done = venv.run("dalr-bench", "plugins", "check", "--json", "--limit", "120")
    assert done.stdout, done.stderr
    listed = venv.run("dalr-bench", "plugins", "--json")
    assert json.loads(listed.stdout)["broken"] == {}
    return {verdict["subject"]: verdict["findings"] for verdict in json.loads(done.stdout)["verdicts"]}


def test_every_kind_but_commands_has_a_template() -> None:
    assert {*KINDS, "command"} == set(EVERY_KIND)


@pytest.mark.parametrize("kind", KINDS)
def test_it_keeps_the_contract_as_generated(kind: str, verdicts: dict[str, list[dict[str, str]]]) -> None:
    for subject in (f"my_{kind} of my-{kind} 0.1.0", f"{kind}/my_{kind}"):
        states = {finding["contract"]: finding["state"] for finding in verdicts[subject]}
        assert "broken" not in states.values(), verdicts[subject]
        assert list(states.values()).count("kept") >= 4
    assert states["build.works"] == "kept"


@pytest.mark.parametrize("kind", KINDS)
def test_its_own_tests_pass_as_generated(kind: str, venv: Venv) -> None:
    """All but the contract, which is checked above in one go."""
    folder = venv.root.parent / f"my-{kind}"
    done = venv.run("pytest", "-q", "-p", "no:cacheprovider", "-k", "not contract", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 deselected" in done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_all_that_a_distribution_has_is_there(kind: str, venv: Venv) -> None:
    folder = venv.root.parent / f"my-{kind}"
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["dalr_bench"] == {f"my_{kind}": f"my_{kind}"}
    assert project["dependencies"] == ["dalr-bench>=0.1,<0.2"]
    assert project["license"] == "Apache-2.0"
    readme, ci = (folder / "README.md").read_text(), (folder / ".github" / "workflows" / "check.yaml").read_text()
    assert f"dalr-bench plugins check my-{kind}" in readme
    assert f"dalr-bench plugins check my-{kind}" in ci
    assert "{{" not in readme + ci


def test_a_generated_plugin_from_an_empty_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole way once, in an environment of its own, as the last line of `new` says; its contract test included."""
    monkeypatch.chdir(tmp_path)
    assert new("teacher", "word-length") == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "next: pip install -e word-length && pytest word-length && dalr-bench plugins check word-length"
    venv = fresh_venv(tmp_path / "venv")
    for line in last.removeprefix("next: ").split(" && "):
        done = venv.run(*line.split(), cwd=tmp_path)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    assert "teacher/word_length" in done.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("loss", "x-"), "'x-' is no name for a plugin"),
        (("loss", "Wide"), "'Wide' is no name"),
        (("loss", "../up"), "'../up' is no name"),
        (("loss", "class"), "'class' is a word of Python's own"),
        (("loss", "json"), "'json' is a word of Python's own"),
        (("loss", "numpy"), "a package 'numpy' is installed here already"),
        (("loss", "infonce"), "loss 'infonce' is already registered by dalr-bench"),
        (("source", "dalr-bench"), "'dalr_bench' is installed here already"),
        (("lost", "mine"), "'lost' is no kind of component. Did you mean 'loss'?"),
        (("loss", "mine", "--to", "there"), "there is there already"),
        (("loss", "mine", "--to", "file/below"), "cannot be made"),
    ],
)
def test_it_refuses_with_one_clear_line(
    words: tuple[str, ...],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    (tmp_path / "file").write_text("")
    before = sorted(tmp_path.rglob("*"))
    assert new(*words) == 2
    err = capsys.readouterr().err.splitlines()
    assert len(err) == 1
    assert told in err[0]
    assert sorted(tmp_path.rglob("*")) == before
