"""Opening an open_clip model: known tags and local files, safetensors unless a pickle is allowed by name."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from dalr_bench import DataError, Fault
from dalr_bench.errors import nearest
from dalr_bench_plugins.networks.pretrained import PICKLE, digest_of_files

_SAFE = (".safetensors", ".npz", ".npy")
_FOLDER, _HUB = "local-dir:", "hf-hub:"


@dataclass(frozen=True)
class ClipWeights:
    """What names an open_clip model and its weights."""

    model: str
    pretrained: str | None = None
    config: str | None = None
    allow_pickle: bool = False
    seed: int = 0


class ClipModel:
    """Both towers with their tokenizer and picture transform, in eval mode on a device."""

    def __init__(self, model: Any, transform: Any, tokenizer: Any, device: Any) -> None:
        self.model = model.eval().requires_grad_(False)
        self.transform, self.tokenizer, self.device = transform, tokenizer, device

    def text(self, sentences: Sequence[str]) -> torch.Tensor:
        """[N, T], on the device."""
        rows: torch.Tensor = self.model.encode_text(self.tokenizer(list(sentences)).to(self.device))
        return rows

    def image(self, images: Sequence[Any]) -> torch.Tensor:
        """[N, E], on the device."""
        pixels = torch.stack([self.transform(image) for image in images])
        rows: torch.Tensor = self.model.encode_image(pixels.to(self.device))
        return rows


def clip_fingerprint(weights: ClipWeights) -> str:
    """Hash of the weights file, or of the seed of random weights; with the architecture where it is the user's own, and
    with all that lies beside the weights where a folder is named.

    Raises DataError for an unknown name or tag, a missing file, a pickle without leave.
    """
    _known(weights)
    path = _weights_file(weights)
    origin = f"random {weights.seed}" if path is None else digest_of_files([path])
    own = Path(weights.config).read_text(encoding="utf-8") if weights.config else ""
    return hashlib.sha256(f"{origin}|{own}{_beside(weights.model)}".encode()).hexdigest()


def _beside(model: str) -> str:
    """Architecture, tokenizer and treatment of pictures that lie beside the weights of a folder, by content."""
    if not model.startswith(_FOLDER):
        return ""
    files = sorted(path for path in Path(model.removeprefix(_FOLDER)).iterdir() if path.suffix in (".json", ".txt", ".model"))
    return f"|{[path.name for path in files]}|{digest_of_files(files)}"


def open_clip_model(weights: ClipWeights, device: Any) -> ClipModel:
    """Build the model and load its weights (fp32). Raises DataError where they do not fit or cannot be read."""
    import open_clip

    _known(weights)
    _weights_file(weights)
    with _explained(weights), torch.random.fork_rng(devices=[]):
        torch.manual_seed(weights.seed)
        model, _, transform = open_clip.create_model_and_transforms(
            weights.model, pretrained=weights.pretrained, device=device, weights_only=True
        )
        tokenizer = open_clip.get_tokenizer(weights.model)
    return ClipModel(model, transform, tokenizer, device)


def _known(weights: ClipWeights) -> None:
    """Make a user's own architecture known to open_clip; refuse a name that is not."""
    import open_clip

    if weights.config is not None:
        path = Path(weights.config)
        if not path.is_file():
            raise DataError(Fault("no such file", file=weights.config))
        if path.stem != weights.model:
            what = f"an architecture is used under its file's name: write `model: {path.stem}`"
            raise DataError(Fault(what, file=weights.config))
        open_clip.add_model_config(path)
    names = open_clip.list_models()
    if weights.model not in names and not weights.model.startswith((_FOLDER, _HUB)):
        raise DataError(f"open_clip has no model '{weights.model}'. {nearest(weights.model, names)}")


def _weights_file(weights: ClipWeights) -> Path | None:
    """The file the weights are in, fetched where a tag names one; None for random weights."""
    if weights.model.startswith(_FOLDER):
        return _allowed(_in_folder(Path(weights.model.removeprefix(_FOLDER))), weights)
    if weights.model.startswith(_HUB):
        from open_clip.pretrained import download_pretrained_from_hf

        with _explained(weights):
            return _allowed(Path(download_pretrained_from_hf(weights.model.removeprefix(_HUB))), weights)
    if weights.pretrained is None:
        return None
    if Path(weights.pretrained).is_file():
        return _allowed(Path(weights.pretrained), weights)
    return _allowed(_fetched(weights, weights.pretrained), weights)


def _fetched(weights: ClipWeights, tag: str) -> Path:
    import open_clip

    tags = open_clip.list_pretrained_tags_by_model(weights.model)
    found = open_clip.get_pretrained_cfg(weights.model, tag)
    if not found:
        what = f"neither a file nor a tag of {weights.model}. {nearest(tag, tags)}"
        raise DataError(Fault(what, file=tag))
    with _explained(weights):
        return Path(open_clip.download_pretrained(found))


def _in_folder(folder: Path) -> Path:
    for name in ("open_clip_model.safetensors", "open_clip_pytorch_model.bin"):
        if (folder / name).is_file():
            return folder / name
    what = "no open_clip model here (open_clip_config.json and open_clip_model.safetensors)"
    raise DataError(Fault(what, file=str(folder)))


def _allowed(path: Path, weights: ClipWeights) -> Path:
    if path.suffix not in _SAFE and not weights.allow_pickle:
        raise DataError(Fault(f"this is a pickle, {PICKLE}", file=str(path)))
    return path


@contextmanager
def _explained(weights: ClipWeights) -> Iterator[None]:
    """One line for a user; open_clip's own remarks on random weights are what was asked for, and are left out."""
    from pickle import UnpicklingError

    from safetensors import SafetensorError

    name = weights.pretrained or weights.model
    logging.disable(logging.WARNING)
    try:
        yield
    except SafetensorError as error:
        raise DataError(Fault(f"the weights file is cut or damaged ({error})", file=name)) from error
    except UnpicklingError as error:
        raise DataError(Fault("this pickle holds more than weights: it is not opened", file=name)) from error
    except (OSError, ValueError, KeyError, RuntimeError, EOFError, ImportError) as error:
        fetch = "could not be fetched: run `dalr-bench prefetch SUITE` where there is a network, or name a local file"
        lines = str(error).strip().splitlines() or [type(error).__name__]
        missing = isinstance(error, FileNotFoundError | ConnectionError)
        raise DataError(Fault(fetch if missing else f"cannot be opened: {lines[0]}", file=name)) from error
    finally:
        logging.disable(logging.NOTSET)
