"""Pictures as integers: squares of one size, decoded and resized once per corpus."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from dalr_bench.cache import READY, build_once, store_root
from dalr_bench.types import Corpus, Images


def to_pixels(images: Sequence[Image.Image], edge: int) -> np.ndarray[tuple[int, int, int, int], np.dtype[np.uint8]]:
    """Shorter side resized to `edge` (bicubic), centre crop, [n, 3, P, P] uint8."""
    out = np.empty((len(images), 3, edge, edge), np.uint8)
    for row, image in enumerate(images):
        out[row] = np.asarray(_square(image.convert("RGB"), edge)).transpose(2, 0, 1)
    return out


def _square(image: Image.Image, edge: int) -> Image.Image:
    if image.size == (edge, edge):
        return image
    scale = edge / min(image.size)
    wide, high = (max(edge, round(side * scale)) for side in image.size)
    resized = image.resize((wide, high), Image.Resampling.BICUBIC)
    left, top = (wide - edge) // 2, (high - edge) // 2
    return resized.crop((left, top, left + edge, top + edge))


def pixel_store(corpus: Corpus, edge: int) -> torch.Tensor:
    """All pictures of a corpus, [n, 3, P, P] uint8 on the host, kept in the cache folder."""
    images = corpus.images
    if images is None:
        raise ValueError("this corpus has no pictures")
    key = hashlib.sha256(f"pixels-1|{corpus.fingerprint}|{edge}".encode()).hexdigest()[:32]
    folder = build_once(store_root(corpus.stores) / "pixels" / key, lambda target: _write(target, images, edge))
    return torch.from_numpy(np.load(folder / "pixels.npy"))


def _write(folder: Path, images: Images, edge: int) -> None:
    out = np.lib.format.open_memmap(folder / "pixels.npy", "w+", np.uint8, (len(images), 3, edge, edge))
    for row in range(len(images)):
        out[row] = to_pixels([images[row]], edge)[0]
    out.flush()
    (folder / READY).write_text(json.dumps({"images": len(images), "edge": edge}))
