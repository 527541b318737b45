"""YAML 1.2 to a tree with positions, from the parser's events: no tags, no surprises, bounded depth and size."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, NoReturn

from dalr_bench.errors import Fault, SuiteError
from dalr_bench.suite.faults import fault_at
from dalr_bench.suite.tree import Mark, Node

MAX_BYTES = 2_000_000
MAX_DEPTH = 40
MAX_NODES = 200_000

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_ZIP = b"PK\x03\x04"
_ENDLESS = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def read(content: bytes, file: str, located: bool = True) -> tuple[Node, list[Fault]]:
    """The tree of one document, and the faults that did not hinder reading on.

    `located=False` gives every value the mark of the file alone (a command line option has no lines).
    Raises SuiteError where the text is not YAML, is too large, too deep, or expands without end.
    """
    reader = _Reader(file, located)
    if content.startswith(_ZIP):
        raise SuiteError(Fault("this is a zip archive, not a suite; `dalr-bench run` trains a bundle again", file=file))
    if len(content) > MAX_BYTES:
        raise SuiteError(
            Fault(f"a suite of {len(content)} bytes is too large; at most {MAX_BYTES} are read", file=file)
        )
    try:
        source = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SuiteError(Fault("this is not UTF-8 text", file=file, line=line, column=1)) from None
    return reader.tree(source), reader.faults


@dataclass(slots=True)
class _Open:
    """A map or list that is being read."""

    node: Node
    anchor: str | None
    before: int
    key: str | None = None
    key_at: Mark | None = None


class _Reader:
    def __init__(self, file: str, located: bool) -> None:
        self.file, self.located = file, located
        self.faults: list[Fault] = []
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Node, int]] = {}
        self.nodes = 0
        self.root: Node | None = None

    def tree(self, source: str) -> Node:
        from ruamel.yaml import YAML
        from ruamel.yaml.error import MarkedYAMLError, YAMLError
        from ruamel.yaml.reader import ReaderError

        try:
            for event in YAML(typ="safe", pure=True).parse(source):
                getattr(self, f"_{type(event).__name__}", self._ignored)(event)
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            where = self._mark(mark) if mark else Mark(self.file)
            self._stop(f"this is not YAML: {error.problem or error.context}", where)
        except ReaderError as error:
            line = source.count("\n", 0, error.position) + 1
            self._stop(f"the character {source[error.position]!r} is not allowed here", Mark(self.file, line, 1))
        except YAMLError as error:
            self._stop(f"this is not YAML: {error}", Mark(self.file))
        if self.root is None:
            self._stop("the file is empty; expected a suite (`suite: NAME`, `base: ...`)", Mark(self.file))
        return self.root

    # ------------------------------------------------------------ events, by the names ruamel gives them
    def _ignored(self, event: Any) -> None:
        """Ends of documents and streams say nothing."""

    def _DocumentStartEvent(self, event: Any) -> None:
        if event.version is not None or event.tags:
            self._stop("directives (%YAML, %TAG) are not read; a suite is plain YAML 1.2", self._mark(event.start_mark))
        if self.root is not None:
            self._stop("a second document starts here; expected one", self._mark(event.start_mark))

    def _MappingStartEvent(self, event: Any) -> None:
        self._begin(event, {})

    def _SequenceStartEvent(self, event: Any) -> None:
        self._begin(event, [])

    def _MappingEndEvent(self, event: Any) -> None:
        self._end()

    def _SequenceEndEvent(self, event: Any) -> None:
        self._end()

    def _ScalarEvent(self, event: Any) -> None:
        at = self._mark(event.start_mark)
        self._untagged(event, at)
        self._whole(event, at)
        if self._wants_key():
            self.stack[-1].key, self.stack[-1].key_at = event.value, at
            return
        self._count(1, at)
        node = Node(self._scalar(event, at), at)
        self._place(node)
        if event.anchor is not None:
            self.anchors[event.anchor] = (node, 1)

    def _AliasEvent(self, event: Any) -> None:
        at = self._mark(event.start_mark)
        if event.anchor not in self.anchors:
            inside = any(item.anchor == event.anchor for item in self.stack)
            self._stop(f"*{event.anchor} {'contains itself' if inside else 'has no anchor before it'}", at)
        if self._wants_key():
            self._stop("an alias cannot be a key; expected text", at)
        node, size = self.anchors[event.anchor]
        self._count(size, at)
        self._place(node)

    # ------------------------------------------------------------ building
    def _wants_key(self) -> bool:
        return bool(self.stack) and self.stack[-1].node.is_map and self.stack[-1].key is None

    def _begin(self, event: Any, value: Any) -> None:
        at = self._mark(event.start_mark)
        self._untagged(event, at)
        if self._wants_key():
            self._stop("a key must be text, not a map or a list", at)
        if len(self.stack) >= MAX_DEPTH:
            self._stop(f"nested deeper than {MAX_DEPTH} levels", at)
        self._count(1, at)
        self.stack.append(_Open(Node(value, at), event.anchor, self.nodes - 1))

    def _end(self) -> None:
        done = self.stack.pop()
        self._place(done.node)
        if done.anchor is not None:
            self.anchors[done.anchor] = (done.node, self.nodes - done.before)

    def _place(self, node: Node) -> None:
        if not self.stack:
            self.root = node
            return
        top = self.stack[-1]
        if isinstance(top.node.value, list):
            top.node.value.append(node)
            return
        key, key_at, top.key = top.key or "", top.key_at or node.at, None
        if key in top.node.value:
            first = top.node.value[key].named_at
            self._fault(f"the key is given twice, first at {first}; keep one of them", key_at, self._path(key))
        elif key == "<<":
            self._fault(
                "merge keys (<<) are no part of YAML 1.2; use `extends`, or a list in `ablate`", key_at, self._path(key)
            )
        else:
            top.node.value[key] = Node(node.value, node.at, key_at)

    def _path(self, key: str) -> str:
        return ".".join([item.key for item in self.stack[:-1] if item.key is not None] + [key])

    # ------------------------------------------------------------ scalars, marks, faults
    def _scalar(self, event: Any, at: Mark) -> Any:
        raw: str = event.value
        if event.style or not event.implicit[0]:
            return raw
        if raw in _NULL:
            return None
        if raw in _BOOL:
            return _BOOL[raw]
        if _INT.fullmatch(raw) or _FLOAT.fullmatch(raw) or _ENDLESS.fullmatch(raw):
            return self._number(raw, at)
        return raw

    def _number(self, raw: str, at: Mark) -> int | float:
        if _ENDLESS.fullmatch(raw) or len(raw) > 40:
            value: int | float = math.inf
        elif _INT.fullmatch(raw):
            value = int(raw, 10 if raw[:2] not in ("0o", "0x") else 0)
        else:
            value = float(raw)
        if not math.isfinite(value) or (isinstance(value, int) and abs(value) >= 2**63):
            key = self.stack[-1].key if self.stack else None
            self._fault(
                f"'{raw[:40]}' is not a number that can be used; expected a finite one below 2^63",
                at,
                self._path(key or ""),
            )
            return 0
        return value

    def _whole(self, event: Any, at: Mark) -> None:
        """Half of a character, which `"\\ud800"` writes, can stand in no file name and in no file of ours."""
        try:
            event.value.encode("utf-8")
        except UnicodeEncodeError:
            self._fault("a text holds half of a character (a lone surrogate); write the character itself", at, "")
            event.value = event.value.encode("utf-8", "replace").decode("utf-8")

    def _untagged(self, event: Any, at: Mark) -> None:
        if event.tag is not None:
            self._fault(
                f"tags are not read ('{event.tag}'); a suite holds plain values and names of registered components",
                at,
                "",
            )

    def _count(self, more: int, at: Mark) -> None:
        self.nodes += more
        if self.nodes > MAX_NODES:
            self._stop(f"the document expands to more than {MAX_NODES} values", at)

    def _mark(self, mark: Any) -> Mark:
        return Mark(self.file, mark.line + 1, mark.column + 1) if self.located else Mark(self.file)

    def _fault(self, what: str, at: Mark, path: str) -> None:
        self.faults.append(fault_at(what, path.strip("."), at))

    def _stop(self, what: str, at: Mark) -> NoReturn:
        self._fault(what, at, "")
        raise SuiteError(self.faults)
