"""Any pretrained sentence encoder as its own files say it is read: what `dalr-bench score` opens."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from dalr_bench import DataError, Fault, hookimpl
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.backbones.hf import hf
from dalr_bench_plugins.networks.pooling import Pooling
from dalr_bench_plugins.networks.requirements import model_requirement

if TYPE_CHECKING:
    from dalr_bench_plugins.networks.encoder import SentenceEncoder
    from dalr_bench_plugins.networks.sentence_model import SentenceModules

# A pooling mode of sentence-transformers and what it is called here.
_POOLING: Mapping[str, Pooling] = {"mean": "mean", "cls": "cls_before_pooler"}
_STOCK = ("Transformer", "Pooling", "Normalize")


def pretrained(
    model: str,
    pooling: Pooling | None = None,
    normalize: bool | None = None,
    max_length: Annotated[int, Field(ge=3)] | None = None,
    revision: str | None = None,
    trust_remote_code: bool = False,
    allow_pickle: bool = False,
) -> SentenceEncoder | SentenceModules:
    """A Hugging Face or sentence-transformers model, by id or folder, pooled and cut as its own files say.

    A sentence-transformers model states its pooling, length and normalisation; any option given here replaces what it
    states. A plain Hugging Face encoder states none: without options its first token before the pooler, not
    normalised, cut at 512 ids or at what the model can take. A sentence-transformers model with modules of other
    kinds (Dense, layer averages) runs through that library, and then takes no `pooling` or `normalize`.

    `model`: a hub id, a folder, or `package:NAME` for a model an installed distribution carries. `max_length` counts
    ids. `revision` is a commit, tag or branch of a hub id (left out: its newest); `trust_remote_code` runs code that
    stands beside the weights, which nothing here needs. `allow_pickle` opens weights that are no safetensors (read
    weights_only).

    Source: the file forms of sentence-transformers 6 (modules.json, 1_Pooling/config.json, sentence_bert_config.json).
    Raises DataError (missing, cut or pickled files; options such a model does not take).
    """
    from dalr_bench_plugins.networks.pretrained import Checkpoint

    checkpoint = Checkpoint(model, revision, trust_remote_code, allow_pickle)
    modules = _json(checkpoint, "modules.json")
    given = {"pooling": pooling, "normalize": normalize, "max_length": max_length}
    stated = _plain(checkpoint) if modules is None else _stock(checkpoint, modules)
    if stated is None and pooling is None and normalize is None:
        from dalr_bench_plugins.networks.sentence_model import open_modules

        return open_modules(checkpoint, max_length)
    if stated is None:
        fault = (
            "its modules are more than an encoder, a pooling and a normalisation: it takes no `pooling` or `normalize`"
        )
        raise DataError(Fault(fault, file=model))
    options: dict[str, Any] = {**stated, **{name: value for name, value in given.items() if value is not None}}
    doors: dict[str, Any] = {"revision": revision, "trust_remote_code": trust_remote_code, "allow_pickle": allow_pickle}
    return hf(model=checkpoint.model, head="none", **doors, **options)


def _plain(checkpoint: Any) -> dict[str, Any]:
    return {"pooling": "cls_before_pooler", "normalize": False, "max_length": _room(checkpoint)}


def _room(checkpoint: Any) -> int:
    """Positions the model has, at most 512. Families that number from the padding id on have two fewer than they say."""
    config = _json(checkpoint, "config.json") or {}
    shifted = 2 if config.get("model_type") in ("roberta", "xlm-roberta", "camembert", "mpnet") else 0
    return min(512, int(config.get("max_position_embeddings") or 512) - shifted)


def _stock(checkpoint: Any, modules: list[Mapping[str, str]]) -> dict[str, Any] | None:
    """What a model of stock modules states; None where it has others."""
    kinds = [module["type"].rpartition(".")[2] for module in modules]
    reading = _json(checkpoint, "sentence_bert_config.json") or {}
    if kinds not in (list(_STOCK[:2]), list(_STOCK)) or reading.get("do_lower_case"):
        return None
    config = _json(checkpoint, f"{modules[1]['path']}/config.json") or {}
    modes = [name for name in ("cls", "mean") if config.get(f"pooling_mode_{name}_token{'s' * (name == 'mean')}")]
    others = [key for key, value in config.items() if key.startswith("pooling_mode_") and value is True]
    mode = str(config.get("pooling_mode") or (modes[0] if len(others) == len(modes) == 1 else ""))
    if mode not in _POOLING:
        return None
    length = int(reading.get("max_seq_length") or _room(checkpoint))
    return {"pooling": _POOLING[mode], "normalize": len(kinds) == 3, "max_length": length}


def _json(checkpoint: Any, name: str) -> Any:
    from dalr_bench_plugins.networks.pretrained import local_file

    found: Path | None = local_file(checkpoint, name)
    if found is None:
        return None
    try:
        return json.loads(found.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(Fault(f"is not JSON ({error})", file=str(found))) from error


# A function says by an attribute what a class says by a static method.
vars(pretrained)["requires"] = model_requirement


@hookimpl
def register_backbones(register: Register) -> None:
    register("pretrained", pretrained)
