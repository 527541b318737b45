"""Opening a Hugging Face encoder: by id or folder, fp32, safetensors, with one clear line where it cannot be done."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from dalr_bench import DataError, Fault

PICKLE = "which can run code when opened: convert it to safetensors, or set `allow_pickle: true`"
MISSING = (
    "no such model folder, nor is it in the Hugging Face cache, nor could it be fetched: check the name, run "
    "`dalr-bench prefetch SUITE` where there is a network, or give a folder"
)
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")


@dataclass(frozen=True)
class Checkpoint:
    """What names pretrained weights: hub id, folder or `package:NAME`, revision, and two doors that stay shut unless
    opened by name.
    """

    model: str
    revision: str | None = None
    trust_remote_code: bool = False
    allow_pickle: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "model", located(self.model))


def located(model: str) -> str:
    """`package:NAME` is the model folder an installed distribution carries; its files are looked at, its code is not
    run.

    Raises DataError where it is not installed or carries no model, or more than one.
    """
    prefix, colon, name = model.partition(":")
    if prefix != "package" or not colon:
        return model
    try:
        files = distribution(name).files or []
    except PackageNotFoundError as error:
        raise DataError(Fault(f"the package '{name}' is not installed: pip install {name}", file=model)) from error
    configs = {Path(str(file.locate())) for file in files if file.name == "config.json"}
    folders = sorted({path.parent for path in configs if (path.parent / "model.safetensors").is_file()})
    if len(folders) != 1:
        raise DataError(Fault(f"the package '{name}' carries {len(folders)} model folders, expected one", file=model))
    return str(folders[0])


def open_encoder(checkpoint: Checkpoint, needs_pooler: bool, changes: dict[str, Any] | None = None) -> tuple[Any, Any]:
    """The encoder (fp32: transformers 5 would keep a checkpoint's fp16) and its tokenizer; `changes` go to its config.

    Raises DataError where files are missing, cut, pickled without leave, or lack weights the encoder needs.
    """
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    named = {"revision": checkpoint.revision, "trust_remote_code": checkpoint.trust_remote_code}
    with explained(checkpoint), quiet():
        config = AutoConfig.from_pretrained(checkpoint.model, **named)
        tokenizer = AutoTokenizer.from_pretrained(checkpoint.model, **named)
        for name, value in (changes or {}).items():
            _change(config, name, value)
        # None lets transformers fall back to a .bin, which it reads with weights_only=True.
        safe = None if checkpoint.allow_pickle else True
        named |= {"config": config, "use_safetensors": safe}
        model, report = AutoModel.from_pretrained(
            checkpoint.model, dtype=torch.float32, output_loading_info=True, **named
        )
    _check_loaded(checkpoint, model, report, needs_pooler)
    check_words(checkpoint, tokenizer)
    return model, tokenizer


def check_words(checkpoint: Checkpoint, tokenizer: Any) -> None:
    """transformers 5 makes a tokenizer of the special tokens alone where a model comes without one, and says nothing.

    Raises DataError for such: every word would be the same unknown one.
    """
    special = getattr(tokenizer, "all_special_ids", None)  # a processor of pictures, or one of static rows, has none
    if special is not None and len(tokenizer) <= len(special):
        what = "it comes without a tokenizer, so every word would be unknown: save the model's beside it (tokenizer.json)"
        raise DataError(Fault(what, file=checkpoint.model))


# The same dropout has another name in each family.
_CONFIG_NAMES = {
    "hidden_dropout": ("hidden_dropout_prob", "dropout", "mlp_dropout"),
    "attention_dropout": ("attention_probs_dropout_prob", "attention_dropout"),
}


def _change(config: Any, name: str, value: Any) -> None:
    found = next((known for known in _CONFIG_NAMES[name] if hasattr(config, known)), None)
    if found is None:
        raise DataError(f"a {config.model_type} model has no {name.replace('_', ' ')} to set")
    setattr(config, found, value)


def _check_loaded(checkpoint: Checkpoint, model: Any, report: dict[str, Any], needs_pooler: bool) -> None:
    missing = sorted(report["missing_keys"])
    needed = [key for key in missing if needs_pooler or not key.startswith("pooler.")]
    if needed:
        tail = " (use `pooling: cls_before_pooler`)" if all(key.startswith("pooler.") for key in needed) else ""
        listed = ", ".join(needed[:3]) + (" …" if len(needed) > 3 else "")
        raise DataError(Fault(f"the weights lack {listed}{tail}", file=checkpoint.model))
    if needs_pooler and getattr(model, "pooler", None) is None:
        what = f"a {model.config.model_type} model has no pooler: use `pooling: cls_before_pooler` or `mean`"
        raise DataError(Fault(what, file=checkpoint.model))


@contextmanager
def explained(checkpoint: Checkpoint) -> Iterator[None]:
    """transformers says in paragraphs what a user needs in a line."""
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as error:
        raise DataError(Fault(f"the weights file is cut or damaged ({error})", file=checkpoint.model)) from error
    except UnpicklingError as error:
        fault = Fault("this pickle holds more than weights: it is not opened", file=checkpoint.model)
        raise DataError(fault) from error
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise DataError(Fault(_reason(checkpoint, error), file=checkpoint.model)) from error


def _reason(checkpoint: Checkpoint, error: Exception) -> str:
    folder = Path(checkpoint.model)
    if not folder.is_dir() and isinstance(error, OSError):
        return MISSING
    if folder.is_dir() and not (folder / "config.json").is_file():
        return "this folder has no config.json: it holds no Hugging Face model"
    if folder.is_dir() and not list(folder.glob("*.safetensors")):
        pickled = next(iter(sorted([*folder.glob("*.bin"), *folder.glob("*.pt")])), None)
        if pickled is not None and not checkpoint.allow_pickle:
            return f"{pickled.name} is a pickle, {PICKLE}"
        if pickled is None:
            return "this folder has no weights (model.safetensors)"
    return f"cannot be opened: {(str(error).strip() or type(error).__name__).splitlines()[0]}"


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars and load reports of transformers inside: what matters is checked and said by us."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def weights_fingerprint(checkpoint: Checkpoint) -> str:
    """sha256 over the weight files and the tokenizer a checkpoint resolves to: what its vectors rest on.

    Raises DataError where no weights are found.
    """
    words = [path for name in ("tokenizer.json", "vocab.txt") if (path := local_file(checkpoint, name))]
    return digest_of_files(_weight_files(checkpoint) + words)


# What decides a frozen model's rows beside its weights: architecture, tokenizer of any family, treatment of pictures.
_BESIDE = (
    "config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.txt",
    "vocab.json", "merges.txt", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model", "preprocessor_config.json",
)  # fmt: skip


def rows_fingerprint(checkpoint: Checkpoint) -> str:
    """sha256 over all files of a checkpoint that decide a frozen model's rows. Raises DataError where no weights are found."""
    beside = [path for name in _BESIDE if (path := local_file(checkpoint, name))]
    names = "|".join(path.name for path in beside)
    return hashlib.sha256(f"{names}|{digest_of_files(_weight_files(checkpoint) + beside)}".encode()).hexdigest()


def digest_of_files(paths: list[Path]) -> str:
    """sha256 of the contents, one after another."""
    digest = hashlib.sha256()
    for path in paths:
        state = path.stat()
        digest.update(_file_digest(path, state.st_size, state.st_mtime_ns))
    return digest.hexdigest()


@lru_cache(maxsize=64)
def _file_digest(path: Path, size: int, changed_ns: int) -> bytes:
    """Gigabytes are read once a process, as long as the file stays the same (its size and time of change)."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").digest()


def _weight_files(checkpoint: Checkpoint) -> list[Path]:
    for name in _WEIGHTS:
        found = local_file(checkpoint, name)
        if found is None:
            continue
        if ".bin" in name and not checkpoint.allow_pickle:
            raise DataError(Fault(f"{name} is a pickle, {PICKLE}", file=checkpoint.model))
        if not name.endswith(".json"):
            return [found]
        shards = sorted(set(json.loads(found.read_text(encoding="utf-8"))["weight_map"].values()))
        return [path for shard in shards if (path := local_file(checkpoint, shard))]
    raise DataError(Fault(_reason(checkpoint, FileNotFoundError("no weights found")), file=checkpoint.model))


def local_file(checkpoint: Checkpoint, name: str) -> Path | None:
    """A file of the checkpoint on this machine (fetched from the hub where that is allowed); None where it has none."""
    from transformers.utils import cached_file

    with explained(checkpoint), quiet():
        found = cached_file(
            checkpoint.model,
            name,
            revision=checkpoint.revision,
            _raise_exceptions_for_missing_entries=False,
            _raise_exceptions_for_connection_errors=False,
            _raise_exceptions_for_gated_repo=False,
        )
    return Path(found) if found else None
