"""A table as text. A format is a file in `templates/`; a user's template sees the same data, in a sandbox."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from dalr_bench.errors import Fault, SuiteError
from dalr_bench.table import escape
from dalr_bench.table.document import as_json, as_lines, as_texts
from dalr_bench.table.model import Table

FORMATS = ("terminal", "markdown", "latex", "html", "csv", "json", "typst")
# A template may loop over a table, not fill the memory: the largest text one may make.
_LARGEST = 50_000_000


def render(table: Table, format_: str) -> str:
    """The table in one of the packaged formats but `terminal` (see terminal.py). Ends in a newline."""
    source = (files("dalr_bench.table") / "templates" / f"{format_}.j2").read_text(encoding="utf-8")
    return render_template(table, source, f"{format_}.j2", html=format_ == "html")


def render_template(table: Table, source: str, name: str, html: bool = False) -> str:
    """The table by any template. It sees `table` (texts), `data` (the JSON document) and `lines` (a spreadsheet's),
    and the filters `latex`, `markdown`, `typst`, `csv` and `json`; it can read no file. `html` escapes what it prints.

    Raises SuiteError with the template's line where it is malformed, names what is not there or leaves the sandbox.
    """
    environment = _environment(html)
    try:
        template = environment.from_string(source)
        out: list[str] = []
        size = 0
        for piece in template.generate(table=as_texts(table), data=as_json(table), lines=as_lines(table)):
            out.append(piece)
            size += len(piece)
            if size > _LARGEST:
                raise SuiteError(Fault(f"the template writes more than {_LARGEST:,} characters", file=name))
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise SuiteError(Fault(f"{type(error).__name__}: {error}", file=name, line=_line_of(error))) from None
    return "".join(out).rstrip("\n") + "\n"


def _environment(html: bool) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=html,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        latex=escape.latex, markdown=escape.markdown, typst=escape.typst, csv=escape.csv_line, json=escape.to_json
    )
    return environment


def _line_of(error: BaseException) -> int:
    line: Any = getattr(error, "lineno", None)
    trace = error.__traceback__
    while line is None and trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line or 0
