"""Which addresses are read, and that none with a secret in it is taken or shown."""

from __future__ import annotations

from importlib.util import find_spec

import fsspec
import pytest
from fsspec.registry import known_implementations

from dalr_bench import DataError, PluginError
from dalr_bench_plugins.reading.addresses import PACKAGES, bare, check, expanded


@pytest.mark.parametrize(
    "address",
    [
        "https://me:hunter2@host/0.tar",
        "http://hunter2@host/{000..009}.tar",
        "https://host/0.tar?X-Amz-Algorithm=A&X-Amz-Credential=hunter2&X-Amz-Signature=hunter2",
        "https://host/0.tar?sv=2020&sig=hunter2",
        "https://host/0.tar?access_token=hunter2",
        "https://host/0.tar?AWSAccessKeyId=hunter2",
        "s3://id:hunter2@bucket/0.tar",
        "https://hunter2@[broken/0.tar",
    ],
)
def test_an_address_with_a_secret_is_refused_and_not_shown(address: str) -> None:
    with pytest.raises(DataError, match="would be written to every record") as caught:
        check(address)
    assert "hunter2" not in str(caught.value)
    assert str(caught.value).startswith(address[:5])


@pytest.mark.parametrize(
    "address",
    [
        "https://host:8080/a@b/{000..009}.tar?download=true",
        "hf://datasets/me/set@main/{000..009}.tar",
        "memory://bucket/0.tar",
    ],
)
def test_others_are_taken(address: str) -> None:
    check(address)


@pytest.mark.parametrize(
    "address", ["ftp://host/0.tar", "file:///etc/passwd", "simplecache::s3://b/0.tar", "pipe:touch x"]
)
def test_other_kinds_are_refused(address: str) -> None:
    with pytest.raises(DataError, match="this kind of address is not read here; known: http, https, hf, s3, gs"):
        check(address)


@pytest.mark.parametrize("kind", sorted(PACKAGES))
def test_a_package_that_is_missing_is_named(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert known_implementations[kind]["class"].partition(".")[0] == PACKAGES[kind]
    known = {name: find_spec(name) for name in ("fsspec", "huggingface_hub")}
    monkeypatch.setattr("dalr_bench_plugins.reading.addresses.find_spec", lambda name: None if name not in known else 1)
    if PACKAGES[kind] in known:
        check(f"{kind}://bucket/0.tar")
    else:
        with pytest.raises(PluginError, match=f"{kind}:// addresses need a library: pip install {PACKAGES[kind]}"):
            check(f"{kind}://bucket/0.tar")


def test_wildcards_are_listed_where_buckets_can_list() -> None:
    files = fsspec.filesystem("memory")
    for name in ("b/001.tar", "b/000.tar", "b/x.txt"):
        files.pipe(f"/{name}", b"")
    assert expanded("memory://b/*.tar") == ["memory:///b/000.tar", "memory:///b/001.tar"]
    assert expanded("memory://b/none.tar") == ["memory://b/none.tar"]
    with pytest.raises(DataError, match="no shard is called so"):
        expanded("memory://b/*.zip")
    with pytest.raises(DataError, match="servers do not list their files"):
        expanded("https://host/*.tar")


def test_what_is_shown() -> None:
    assert bare("https://a:b@host/x?sig=1#f") == "https://host/x"
    assert bare("hf://datasets/me/set@main/x") == "hf://datasets/me/set@main/x"
