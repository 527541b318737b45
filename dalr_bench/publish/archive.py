"""Zip files from strangers: read member by member into memory, never unpacked, bounded in number and size."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from dalr_bench.errors import DataError, Fault
from dalr_bench.record.files import write_bytes

MAX_MEMBERS = 500
MAX_BYTES = 32_000_000
_STEP = re.compile(r"[A-Za-z0-9+_=-][A-Za-z0-9+._=-]*")
# Equal contents give equal archives: no clock in them.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def write_archive(path: Path, members: Mapping[str, str]) -> None:
    """Write texts by name, whole or not at all."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), text.encode("utf-8"), zipfile.ZIP_DEFLATED)
    write_bytes(path, buffer.getvalue())


def read_archive(path: Path) -> dict[str, bytes]:
    """Every member's content by name.

    Raises DataError where the file is no zip, a name leads out of the archive or comes twice, a checksum is wrong, or
    the members are more than 500 or, unpacked, more than 32 MB (counted while reading: a header may lie).
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > MAX_MEMBERS:
                raise _fault(path, f"{len(members)} members are too many; at most {MAX_MEMBERS} are read")
            out: dict[str, bytes] = {}
            for member in members:
                _check_name(path, member.filename, out)
                with archive.open(member) as file:
                    left = MAX_BYTES - sum(map(len, out.values()))
                    out[member.filename] = file.read(left + 1)
                if len(out[member.filename]) > left:
                    raise _fault(path, f"it holds more than {MAX_BYTES:,} bytes, too many for a bundle")
    except FileNotFoundError:
        raise _fault(path, "there is no such file") from None
    except (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, NotImplementedError, EOFError, ValueError) as error:
        raise _fault(path, f"it is no sound zip file: {error}") from None
    return out


def _check_name(path: Path, name: str, known: Mapping[str, bytes]) -> None:
    if name in known:
        raise _fault(path, f"member {name!r} comes twice")
    if not all(_STEP.fullmatch(step) for step in name.split("/")):
        raise _fault(path, f"member {name!r} has a name no bundle gives; it may lead out of the archive")


def _fault(path: Path, what: str) -> DataError:
    return DataError(Fault(what, file=str(path)))
