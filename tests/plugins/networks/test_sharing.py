"""One living copy by key, gone with its last holder."""

from __future__ import annotations

from dalr_bench_plugins.networks.sharing import shared


class Thing:
    """Something that can be referred to weakly."""


def test_same_key_same_thing_while_it_lives() -> None:
    built: list[int] = []

    def build() -> Thing:
        built.append(1)
        return Thing()

    first = shared(("test", 1), build)
    assert shared(("test", 1), build) is first
    assert shared(("test", 2), build) is not first
    del first
    shared(("test", 1), build)
    assert len(built) == 3
