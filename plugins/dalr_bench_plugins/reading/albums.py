"""Photo sets as their owners ship them: Flickr30k's token file, Karpathy's JSON, COCO's JSON, the Hugging Face csv."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dalr_bench import DataError, Fault
from dalr_bench_plugins.reading.pairs import Entry
from dalr_bench_plugins.reading.text import numbered_lines, read_csv, read_json

_TOKEN_LINE = re.compile(r"(?P<photo>\S+)#(?P<number>\d+)\s+(?P<caption>.*)")


def token_entries(path: Path, photos: Path | None) -> Iterator[Entry]:
    """`PHOTO.jpg#NUMBER<tab>CAPTION` a line (results_20130124.token, Flickr8k.token.txt); one photo's lines together.

    Raises DataError with the line: another form, an empty caption, a photo whose lines are apart.
    """
    seen: set[str] = set()
    name, captions, first = "", list[str](), 0
    for number, line in numbered_lines(path):
        found = _TOKEN_LINE.fullmatch(line.strip())
        if found is None or not found["caption"].strip():
            what = "expected PHOTO#NUMBER, a tab and a caption" if found is None else "caption is empty"
            raise DataError(Fault(what, file=str(path), line=number))
        if found["photo"] != name:
            if captions:
                yield Entry(photos / name if photos else None, captions, str(path), first, name)
            name, captions, first = found["photo"], [], number
            if name in seen:
                raise DataError(Fault(f"the captions of {name} are not together", file=str(path), line=number))
            seen.add(name)
        captions.append(found["caption"])
    if captions:
        yield Entry(photos / name if photos else None, captions, str(path), first, name)


def karpathy_entries(path: Path, photos: Path | None, splits: frozenset[str]) -> Iterator[Entry]:
    """dataset_flickr30k.json, dataset_coco.json: `{"images": [{"filename", "split", "sentences": [{"raw"}]}]}`."""
    for row in _listed(read_json(path), "images", path):
        name = row.get("filename")
        sentences = row.get("sentences")
        if not isinstance(name, str) or not isinstance(sentences, list):
            what = "an image without filename or sentences: this is no Karpathy file"
            raise DataError(Fault(what, file=str(path), line=1))
        if row.get("split") not in splits:
            continue
        captions = [sentence.get("raw", "") if isinstance(sentence, dict) else sentence for sentence in sentences]
        place = None if photos is None else photos / str(row.get("filepath", "")) / name
        yield Entry(place, captions, str(path), name=name)


def coco_entries(path: Path, photos: Path | None) -> Iterator[Entry]:
    """captions_train2017.json: `images` with id and file_name, `annotations` with image_id and caption.

    Photos in the order of `images`; one without a caption is passed over, as COCO has no such photo in train or val.
    Raises DataError for a caption of a photo that is not listed.
    """
    document = read_json(path)
    images = {row.get("id"): row for row in _listed(document, "images", path)}
    captions: dict[Any, list[str]] = {}
    for row in _listed(document, "annotations", path):
        if row.get("image_id") not in images:
            what = f"annotation {row.get('id')} belongs to image {row.get('image_id')}, which is not listed"
            raise DataError(Fault(what, file=str(path), line=1))
        captions.setdefault(row["image_id"], []).append(row.get("caption", ""))
    for key, row in images.items():
        name = str(row.get("file_name"))
        yield Entry(None if photos is None else photos / name, captions.get(key, []), str(path), name=name)


def annotation_csv_entries(path: Path, photos: Path | None, splits: frozenset[str]) -> Iterator[Entry]:
    """flickr_annotations_30k.csv (Hugging Face): `raw` (a JSON list of captions), `split`, `filename`."""
    for number, row in read_csv(path, ("raw", "split", "filename")):
        if row["split"] not in splits:
            continue
        try:
            captions = json.loads(row["raw"])
        except json.JSONDecodeError as error:
            fault = Fault(f"column raw is no JSON list: {error.msg}", file=str(path), line=number)
            raise DataError(fault) from error
        yield Entry(None if photos is None else photos / row["filename"], captions, str(path), number, row["filename"])


def only_listed(entries: Iterator[Entry], names: Path | None) -> Iterator[Entry]:
    """Entries whose photo is in a list of ids, one a line (Flickr30k Entities' train.txt); all without such a list."""
    if names is None:
        yield from entries
        return
    wanted = {line.strip().removesuffix(".jpg") for _, line in numbered_lines(names)} - {""}
    for entry in entries:
        if entry.name.removesuffix(".jpg") in wanted:
            yield entry


def _listed(document: Any, key: str, path: Path) -> list[Mapping[str, Any]]:
    rows = document.get(key) if isinstance(document, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DataError(Fault(f'expected an object with a list "{key}"', file=str(path), line=1))
    return rows
