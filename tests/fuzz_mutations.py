"""Mutations: what a tired user, a broken editor and a stranger with bad intent make of a suite."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

# Texts at which readers, paths and terminals go wrong.
TEXTS = (
    "", " ", "..", "../..", "../../escaped", "/escaped", "a/b", "a\\b", ".hidden", "-rf", "~", "$HOME", "%s", "{}",
    "con", "nul", "a\x00b", "\x1b[31mred\x1b[0m", "\x07", "\r\nsecond", "\u202eevil", "\u2066x\u2069", "\u2028",
    "\ufeff", "é", "e\u0301", "汉字", "🦊", "\ud800", "x" * 300, "y" * 5000, "null", "true", "yes", "0x1f", "1e3", "1_000",
    "<script>", "\\input{x}", "{{ 7*7 }}", "[red]x[/red]", "__class__", "__init__", "self", "*", "**", "?", "[a", "!x",
    "base", "baseline", "default", "run", "CON.", "a.b.c", "losses..x", "train.", ".train", "losses.info",
)  # fmt: skip
NUMBERS = (
    0, -1, 1, 2, 3, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 10**30, -(2**63), 0.0, -0.0, 1e-300, 1e300, 0.5, 1.5,
    float("inf"), float("nan"),
)  # fmt: skip
# What is YAML and no suite, or no YAML.
SNIPPETS = (
    b"\x00", b"\xff\xfe", b"\xc3\x28", b"\xed\xa0\x80", b"\t", b"\r", b"\x85", "\u2028".encode(), "\u202e".encode(),
    b"\xef\xbb\xbf", b"---\n", b"...\n", b"%YAML 1.1\n---\n", b"%TAG ! tag:x,2000:\n", b"!!python/object:os.system ",
    b"!!binary ", b"!x ", b"&a ", b"*a ", b"*nothing ", b"<<: *a\n", b"<<: {a: 1}\n", b"? ", b": ", b"- ", b"| ", b">\n",
    b"{", b"}", b"[", b"]", b"'", b'"', b'"\\ud800"', b'"\\x00"', b"#", b",", b"@", b"`", b"{{", b"[" * 60, b"{a: " * 60,
    b"[" * 20_000, b"? " * 5_000, b"- " * 5_000, b"a: &a [*a]\n", b"9" * 5_000, b"1e999", b".inf", b".nan", b"0o777",
    b"suite: again\n", b"seeds: [0, 0]\n", b"extends: tiny.yaml\n", b"extends: x.yaml\n", b"extends: ../../etc/passwd\n",
    b"extends: /dev/zero\n", b"generate: {each: [base], form: x}\n",
)  # fmt: skip
BOMB = (
    "a: &a [x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
).encode()


def of_bytes(text: bytes, random_: random.Random) -> bytes:
    """The text with a few bytes changed: cut, doubled, swapped, or something foreign put in."""
    for _ in range(random_.choice((1, 1, 2, 4))):
        at = random_.randrange(len(text) + 1)
        upto = min(len(text), at + random_.choice((1, 2, 8, 40, 400)))
        choice = random_.randrange(7)
        if choice == 0:
            text = text[:at] + text[upto:]
        elif choice == 1:
            text = text[:at] + bytes(random_.randrange(256) for _ in range(random_.randint(1, 4))) + text[at:]
        elif choice == 2:
            text = text[:upto] + text[at:]
        elif choice in (3, 4):
            text = text[:at] + random_.choice(SNIPPETS) + text[at:]
        elif choice == 5:
            text = _lines(text, random_)
        else:
            text = BOMB + text if random_.random() < 0.2 else text[:at]
    return text


def _lines(text: bytes, random_: random.Random) -> bytes:
    lines = text.splitlines(keepends=True) or [b""]
    one, other = random_.randrange(len(lines)), random_.randrange(len(lines))
    lines[one], lines[other] = random_.choice(
        ((lines[other], lines[one]), (lines[one] * 2, lines[other]), (b"  " + lines[one], lines[other]))
    )
    return b"".join(lines)


def of_tree(tree: Any, random_: random.Random) -> bytes:
    """The document with some of its values or names replaced; as JSON, which YAML contains."""
    for _ in range(random_.choice((1, 1, 2, 3))):
        tree = _change(tree, random_, _any_place(tree, random_))
    if random_.random() < 0.1:
        tree = {**tree, "extends": random_.choice(TEXTS)} if isinstance(tree, dict) else tree
    return json.dumps(tree, ensure_ascii=random_.random() < 0.5, default=str).encode("utf-8", "surrogatepass")


def _any_place(tree: Any, random_: random.Random) -> tuple[Any, ...]:
    """A path into the document; every node is as likely."""
    found: list[tuple[Any, ...]] = []

    def walk(node: Any, path: tuple[Any, ...]) -> None:
        found.append(path)
        items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for key, child in items:
            walk(child, (*path, key))

    walk(tree, ())
    return random_.choice(found)


def _change(node: Any, random_: random.Random, path: tuple[Any, ...]) -> Any:
    if len(path) > 1 or (path and isinstance(node, list)):
        key, *rest = path
        changed = _change(node[key], random_, tuple(rest)) if rest else anything(random_)
        if isinstance(node, list):
            return [changed if i == key else child for i, child in enumerate(node)]
        return {name: changed if name == key else child for name, child in node.items()}
    if not path or not isinstance(node, dict):
        return anything(random_)
    (key,) = path
    actions: tuple[Callable[[], dict[Any, Any]], ...] = (
        lambda: {k: v for k, v in node.items() if k != key},
        lambda: {random_.choice(TEXTS) if k == key else k: v for k, v in node.items()},
        lambda: {**node, key: anything(random_)},
        lambda: {**node, key: _other(node[key], random_)},
        lambda: {**node, key: _other(node[key], random_)},
        lambda: {**node, key: _other(node[key], random_)},
        lambda: {**node, random_.choice(TEXTS): node[key]},
    )
    return random_.choice(actions)()


def _other(value: Any, random_: random.Random) -> Any:
    """Of the same kind, so that it comes further."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return random_.choice((value + 1, value - 1, value * 2, value / 2, random_.choice(NUMBERS)))
    if isinstance(value, str):
        return random_.choice((value[:-1], value + "x", value.upper(), *random_.choices(TEXTS, k=2)))
    if isinstance(value, list):
        return random_.choice(([], value * 2, value[:1], value[::-1]))
    return {} if isinstance(value, dict) and random_.random() < 0.5 else value


def anything(random_: random.Random, depth: int = 3) -> Any:
    """A value of any kind."""
    choice = random_.randrange(8 if depth else 5)
    if choice < 2:
        return random_.choice(TEXTS)
    if choice == 2:
        return random_.choice(NUMBERS)
    if choice < 5:
        return random_.choice((None, True, False, [], {}))
    if choice == 5:
        return [anything(random_, depth - 1) for _ in range(random_.randint(1, 3))]
    if choice == 6:
        return {random_.choice(TEXTS): anything(random_, depth - 1) for _ in range(random_.randint(1, 3))}
    deep: Any = 1
    for _ in range(random_.choice((5, 39, 60, 300))):
        deep = [deep] if random_.random() < 0.5 else {"a": deep}
    return deep
