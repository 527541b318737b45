"""The page: one HTML file that holds everything and asks nobody for anything.

Names, errors and configs are strangers' words. The template escapes them; JSON stands in elements the browser does not
run, with `<`, `>` and `&` written as escapes; and a content policy lets only our three scripts run, by their hash.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from dalr_bench.errors import counted
from dalr_bench.report.effects import LEVEL
from dalr_bench.report.figures import Figure
from dalr_bench.report.libraries import script
from dalr_bench.report.model import Report, Run
from dalr_bench.report.sections import Section
from dalr_bench.report.theme import THEMES
from dalr_bench.table.document import as_json, as_texts

_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def render_page(report: Report, sections: Sequence[Section], results: Path, out: Path) -> str:
    """The page that will stand at `out`; links lead from there to the run folders in `results`."""
    figures = [figure for section in sections for figure in section.figures]
    scripts = [script(), _asset("report.js")]
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    page = environment.from_string(_asset("report.html.j2")).render(
        policy=_policy(scripts),
        style=Markup(_asset("report.css")),
        scripts=[Markup(text) for text in scripts],
        blobs={name: Markup(embedded(value)) for name, value in _blobs(report, figures).items()},
        table=as_texts(report.table),
        numbers=_numbers(report),
        baseline=report.table.baseline,
        sections=[_section(section) for section in sections],
        effects=_effects(report),
        level=f"{100 * LEVEL:.0f}",
        runs=[_run(run, _link(results, out)) for run in report.runs],
        counts=report.count(),
        environments=[{"facts": _facts(facts), "runs": list(ids)} for facts, ids in report.environments],
    )
    # Half of a character, as a damaged file may hold, cannot be written.
    return page.encode("utf-8", "replace").decode("utf-8")


def embedded(value: Any) -> str:
    """JSON that cannot end the element it stands in, whatever it holds."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return "".join(_ESCAPES.get(c, c) for c in text)


def _asset(name: str) -> str:
    return (files("dalr_bench.report") / "assets" / name).read_text(encoding="utf-8")


def _policy(scripts: Sequence[str]) -> str:
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    allowed = " ".join(f"'sha256-{each}'" for each in hashes)
    looks = "style-src 'unsafe-inline'; img-src data: blob:"
    return f"default-src 'none'; script-src {allowed}; {looks}; form-action 'none'; base-uri 'none'"


def _blobs(report: Report, figures: Sequence[Figure]) -> dict[str, Any]:
    """What the script reads, each parsed only when it is needed."""
    data = {name: found for figure in figures for name, found in figure.data.items()}
    specs = {
        figure.name: {"spec": figure.spec, "data": sorted(figure.data), "shown": figure.shown} for figure in figures
    }
    return {
        "themes": THEMES,
        "figures": specs,
        "configs": {run.id: run.config for run in report.runs if run.config is not None},
        "origins": _origins(report.runs),
        **{f"data-{name}": {"fields": list(d.fields), "rows": [list(r) for r in d.rows]} for name, d in data.items()},
    }


def _origins(runs: Sequence[Run]) -> dict[str, Any]:
    """Seeds of one cell share theirs, so each answer stands once."""
    sets: list[Mapping[str, str]] = []
    places: dict[int, int] = {}
    of = {}
    for run in runs:
        if run.origins is not None:
            if id(run.origins) not in places:
                places[id(run.origins)] = len(sets)
                sets.append(run.origins)
            of[run.id] = places[id(run.origins)]
    return {"of": of, "sets": sets}


def _section(section: Section) -> dict[str, Any]:
    figures = [{"name": f.name, "title": f.title, "caption": f.caption, "alt": f.alt} for f in section.figures]
    return {"name": section.name, "title": section.title, "figures": figures, "absent": list(section.absent)}


def _numbers(report: Report) -> list[list[float | None]]:
    """What a column is sorted by: the mean of each row's cells, row by row in the order of the table."""
    rows = as_json(report.table)["rows"]
    return [[None if cell is None else cell["mean"] for cell in row["cells"].values()] for row in rows]


def _effects(report: Report) -> list[dict[str, str]]:
    """The effects in the main column as texts: what the chart draws, for who cannot see it."""
    found = [cell for cell in report.data["cells"].records() if cell["column"] == report.main]
    return [
        {
            "variant": cell["variant"],
            "group": cell["group"],
            "column": cell["column"],
            "delta": f"{cell['delta']:+.2f}",
            "interval": "–" if cell["low"] is None else f"{cell['low']:+.2f} to {cell['high']:+.2f}",
            "p": "–" if cell["p"] is None else f"{cell['p']:.4f}",
            "basis": f"{cell['rests_on']}, {counted(cell['pairs'], 'pair')}",
        }
        for cell in found
        if cell["delta"] is not None
    ]


def _link(results: Path, out: Path) -> str:
    """From the page to the results folder, as a relative address."""
    relative = os.path.relpath(results.resolve(), out.resolve().parent)
    return quote(os.fsencode(Path(relative).as_posix()), safe="/.")  # any name a disk has


def _run(run: Run, root: str) -> dict[str, Any]:
    place = f"{root}/{quote(run.id, safe='')}"
    record = run.record
    environment: Mapping[str, Any] = record.environment if record is not None else {}
    seconds = record.seconds.get("total") if record is not None else None
    needs = run.config.get("needs") if run.config is not None else None
    return {
        "id": run.id,
        "variant": run.variant,
        "seed": run.seed,
        "groups": [group for group in run.groups if group],
        "role": run.role,
        "state": run.state,
        "error": run.error,
        "seconds": "" if seconds is None else f"{seconds:.1f}",
        "commit": str(environment.get("commit") or "not known"),
        "version": str(environment.get("dalr_bench") or "not known"),
        "device": str(environment.get("device") or "not known"),
        "needs": [str(each.get("run_id")) for each in needs if isinstance(each, dict)]
        if isinstance(needs, list)
        else [],
        "files": [{"name": name, "href": f"{place}/{quote(name, safe='/')}"} for name in run.files],
        "config": run.config is not None,
        "origins": run.config is not None and run.origins is not None,
    }


def _facts(environment: Mapping[str, Any]) -> list[tuple[str, str]]:
    out = []
    for name, value in environment.items():
        nested = isinstance(value, dict)
        out.append((str(name), ", ".join(f"{k} {v}" for k, v in value.items()) if nested else str(value)))
    return out
