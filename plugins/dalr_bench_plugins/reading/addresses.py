"""Addresses of shards: which kinds are read, what each needs, and that none carries a secret into configs and records."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from dalr_bench import DataError, Fault, PluginError

HTTP = ("http", "https")
# Read through fsspec, and the package that knows the kind. `pipe:` and the like would let a suite run commands.
PACKAGES = {
    "hf": "huggingface_hub",
    "s3": "s3fs",
    "gs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "memory": "fsspec",  # the own process's memory: stands for a bucket in tests
}
SCHEMES = (*HTTP, *PACKAGES)
_SECRET = re.compile(r"(?i)(sig|signature|token|secret|passw(or)?d|credential|auth|key|keyid|key-?pair-?id)$")


def is_address(name: str) -> bool:
    """Whether it names something behind a network, or would have a command run."""
    return "://" in name or name.startswith("pipe:")


def scheme(address: str) -> str:
    """The kind of an address."""
    return address.partition(":")[0].lower()


def check(address: str) -> None:
    """Raises DataError for an address of a kind that is not read, and for one with a password or a signed query in it:
    it would be written to every config and record. PluginError where the package of its kind is missing.
    """
    kind = scheme(address)
    if kind not in SCHEMES or "::" in address:
        raise DataError(
            Fault(f"this kind of address is not read here; known: {', '.join(SCHEMES)}", file=bare(address))
        )
    if _is_secret(address):
        raise DataError(
            Fault(
                "an address with a password or a signed query would be written to every record; leave that out and give it "
                "by ~/.netrc (http), HF_TOKEN (hf), or the settings of the bucket's own tools (s3, gs, az)",
                file=bare(address),
            )
        )
    package = PACKAGES.get(kind)
    if package is not None and find_spec(package) is None:
        raise PluginError(f"{kind}:// addresses need a library: pip install {package}")


def bare(address: str) -> str:
    """The address as it may be shown: without user, password and query."""
    plain = re.sub(r"[?#].*", "", address)
    # Buckets and revisions may have an @ in their names.
    return re.sub(r"//[^/]*@" if scheme(address) in HTTP else r"//[^/]*:[^/]*@", "//", plain)


def _is_secret(address: str) -> bool:
    try:
        parts = urlsplit(address)
        named = "@" in parts.netloc and (scheme(address) in HTTP or parts.password is not None)
        return named or any(_SECRET.search(name) for name, _ in parse_qsl(parts.query, keep_blank_values=True))
    except ValueError:  # brackets that name no host
        return "@" in address


def filesystem(address: str) -> tuple[Any, str]:
    """What fsspec reads this kind of address with, and the path in it."""
    from fsspec.core import url_to_fs

    found: tuple[Any, str] = url_to_fs(address)
    return found


def expanded(address: str) -> Sequence[str]:
    """The addresses a `*` means, in the order of names; an address without one means itself. Raises DataError where none is there."""
    if not any(mark in address for mark in "*["):
        return [address]
    if scheme(address) in HTTP:
        raise DataError(Fault("servers do not list their files: name them with braces, {000..099}", file=bare(address)))
    files, path = filesystem(address)
    try:
        found = sorted(files.unstrip_protocol(name) for name in files.glob(path))
    except Exception as error:  # every kind has a library of its own, and they have no base class
        raise DataError(Fault(f"cannot be listed: {type(error).__name__}: {error}", file=address)) from None
    if not found:
        raise DataError(Fault("no shard is called so", file=address))
    return found
