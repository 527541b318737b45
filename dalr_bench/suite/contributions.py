"""What each component of a suite adds: which two variants differ by it and by nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from dalr_bench.suite.diffs import Patch

Kind = Literal["leave-one-out", "add-one-in"]
Parts = frozenset[str]


@dataclass(frozen=True, slots=True)
class Contribution:
    """`component` is what `variant` has and `without` lacks: the last missing from a whole, or the first put in."""

    component: str
    kind: Kind
    variant: str
    without: str

    def to_json(self) -> dict[str, str]:
        """As it stands in `suite.json`."""
        return {"component": self.component, "kind": self.kind, "with": self.variant, "without": self.without}


def contributions(
    named: Mapping[str, Sequence[Patch]], groups: Mapping[str, Sequence[str]], shown: Sequence[str]
) -> list[Contribution]:
    """Of the variants `shown`, from the patches of all. Components are groups of losses that `generate` takes away, and
    diffs that a list puts together with others: a variant that stands alone is another method, not a part of one.
    """
    diffs = {id(patches[0].node): name for name, patches in named.items() if _is_plain(patches, name)}
    lists = [patches for patches in named.values() if len(patches) > 1]
    joined = {diffs[id(patch.node)] for patches in lists for patch in patches if id(patch.node) in diffs}
    known: dict[Parts, str] = {}
    for name in shown:
        parts = _parts(named[name], groups, diffs)
        if parts is not None:
            known.setdefault(parts, name)  # variants of equal parts are the same runs
    components = {*groups, *joined}
    out = [
        Contribution("".join(more - fewer), kind, known[more], known[fewer])
        for fewer in known
        for more in known
        if fewer < more and len(more - fewer) == 1 and more - fewer <= components
        for kind in _kind(more, fewer, [*known], components)
    ]
    order = [*groups, *named]
    return sorted(out, key=lambda each: (each.kind == "add-one-in", order.index(each.component)))


def _kind(more: Parts, fewer: Parts, known: Sequence[Parts], components: set[str]) -> list[Kind]:
    """Nothing where neither end is one: what a middle step adds depends on the order of steps."""
    if not any(other < fewer for other in known):
        return ["add-one-in"]
    # A larger whole is larger by components alone: the same with another learning rate is no larger whole.
    whole = not any(more < other and other - more <= components for other in known)
    return ["leave-one-out"] if whole else []


def _is_plain(patches: Sequence[Patch], name: str) -> bool:
    return len(patches) == 1 and patches[0].path.endswith(f".{name}") and bool(patches[0].node.entries)


def _parts(patches: Sequence[Patch], groups: Mapping[str, Sequence[str]], diffs: Mapping[int, str]) -> Parts | None:
    """Groups that are kept and diffs that are laid; None where a group is there by half."""
    labels = {label for members in groups.values() for label in members}
    gone: set[str] = set()
    laid: set[str] = set()
    for patch in patches:
        deleted = _deleted(patch) & labels
        gone |= deleted
        if not patch.node.entries:
            continue
        if not deleted or _deleted(patch) != deleted or len(patch.node.entries) > 1:
            laid.add(diffs.get(id(patch.node), patch.path))
    kept = {group for group, members in groups.items() if not gone & set(members)}
    held = {label for group in kept for label in groups[group]}
    if any(label not in gone | held for group in groups.keys() - kept for label in groups[group]):
        return None
    return frozenset(kept | laid)


def _deleted(patch: Patch) -> set[str]:
    losses = patch.node.entries.get("losses")
    return {label for label, child in losses.entries.items() if child.value is None} if losses is not None else set()
