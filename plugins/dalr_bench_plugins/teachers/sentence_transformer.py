"""A frozen sentence-transformers model, with its own pooling and modules.

Source: sentence-transformers 6, `SentenceTransformer.encode`.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field

from dalr_bench import DataError, Fault, hookimpl
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.networks.requirements import model_requirement


class SentenceTransformerTeacher:
    """Rows of a sentence-transformers model, [N, T] float32: its own tokenizer, pooling and modules.

    `model` is an id, a folder, or `package:NAME` for the model an installed distribution carries.

    `max_length` replaces the model's own limit; `batch` sentences are asked at a time. `normalize` scales rows to unit
    length where the model does not itself. `fingerprint` hashes every weight and module file.

    `revision` is a commit, tag or branch of a hub id (left out: its newest); `trust_remote_code` runs code that stands
    beside the weights, which nothing here needs.

    Raises DataError where the model is missing, or holds pickled weights without `allow_pickle: true` (then read
    weights_only by sentence-transformers).
    """

    requires = staticmethod(model_requirement)

    def __init__(
        self,
        model: str,
        max_length: Annotated[int, Field(ge=3)] | None = None,
        batch: Annotated[int, Field(ge=1)] = 64,
        normalize: bool = False,
        revision: str | None = None,
        trust_remote_code: bool = False,
        allow_pickle: bool = False,
        *,
        device: Any = "cpu",
    ) -> None:
        self.model, self.revision = model, revision
        self.max_length, self.batch, self.normalize, self.device = max_length, batch, normalize, str(device)
        self.trust_remote_code = trust_remote_code
        self.folder = self._folder(allow_pickle)
        self.fingerprint = self._fingerprint()
        self._opened: Any = None

    def encode_text(self, sentences: list[str]) -> torch.Tensor:
        """The model's rows in order, [N, T]."""
        rows: torch.Tensor = self._model().encode(
            sentences,
            batch_size=self.batch,
            convert_to_tensor=True,
            normalize_embeddings=self.normalize,
            show_progress_bar=False,
        )
        return rows.float().cpu()

    def _model(self) -> Any:
        from dalr_bench_plugins.networks.sharing import shared

        if self._opened is None:
            key = ("sentence_transformer", str(self.folder), self.fingerprint, self.max_length, self.device)
            self._opened = shared(key, self._open)
        return self._opened

    def _open(self) -> Any:
        from sentence_transformers import SentenceTransformer

        from dalr_bench_plugins.networks.pretrained import Checkpoint, check_words, quiet

        with quiet():
            opened = SentenceTransformer(
                str(self.folder),
                device=self.device,
                trust_remote_code=self.trust_remote_code,
                model_kwargs={"dtype": torch.float32},
            )
        check_words(Checkpoint(self.model), opened.tokenizer)
        if self.max_length is not None:
            opened.max_seq_length = self.max_length
        return opened.eval()

    def _folder(self, allow_pickle: bool) -> Path:
        """The model's files: a folder given, or the hub's snapshot. Pickles are refused before anything is opened."""
        from huggingface_hub import snapshot_download

        from dalr_bench_plugins.networks.pretrained import MISSING, PICKLE, located

        folder = Path(located(self.model))
        if not folder.is_dir():
            # What `prefetch` brings and no more: offline, the hub's client refuses a snapshot that lacks what is asked.
            wanted = list(model_requirement({"model": self.model, "allow_pickle": allow_pickle})[0].patterns)
            try:
                folder = Path(snapshot_download(self.model, revision=self.revision, allow_patterns=wanted))
            except (OSError, ValueError) as error:
                raise DataError(Fault(MISSING, file=self.model)) from error
        if not (folder / "modules.json").is_file():
            what = "no sentence-transformers model (modules.json): a plain Hugging Face encoder is `hf_text`"
            raise DataError(Fault(what, file=self.model))
        for pickled in sorted([*folder.rglob("*.bin"), *folder.rglob("*.pt")]):
            if not allow_pickle and not list(pickled.parent.glob("*.safetensors")):
                raise DataError(Fault(f"{pickled.relative_to(folder)} is a pickle, {PICKLE}", file=self.model))
        if not allow_pickle and not list(folder.rglob("*.safetensors")):
            raise DataError(Fault(f"there is no safetensors file: its weights are a pickle, {PICKLE}", file=self.model))
        return folder

    def _fingerprint(self) -> str:
        from dalr_bench_plugins.networks.pretrained import digest_of_files

        kinds = (".safetensors", ".bin", ".json", ".txt", ".model")
        files = sorted(path for path in self.folder.rglob("*") if path.suffix in kinds)
        digest = digest_of_files(files)
        return hashlib.sha256(f"{digest}|{self.max_length}|{self.normalize}".encode()).hexdigest()


@hookimpl
def register_teachers(register: Register) -> None:
    register("sentence_transformer", SentenceTransformerTeacher)
