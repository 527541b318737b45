"""Students from Hugging Face: any pretrained encoder, or a small BERT from scratch.

Source: princeton-nlp/SimCSE@49fa580: training head (simcse/models.py, MLPLayer), poolers (evaluation.py:119-138).
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from dalr_bench import SuiteError, hookimpl
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.networks.pooling import Pooling
from dalr_bench_plugins.networks.requirements import model_requirement

if TYPE_CHECKING:
    from dalr_bench_plugins.networks.encoder import SentenceEncoder

_SCRATCH = ("layers", "hidden", "heads", "feed_forward", "max_positions", "vocabulary_size")
_Share = Annotated[float, Field(ge=0, lt=1)]
_Count = Annotated[int, Field(ge=1)]


def hf(
    model: str | None = None,
    pooling: Pooling = "cls_before_pooler",
    head: Literal["mlp", "batchnorm", "none"] = "mlp",
    keep_head: bool = False,
    normalize: bool = False,
    max_length: Annotated[int, Field(ge=3)] = 32,
    hidden_dropout: _Share | None = None,
    attention_dropout: _Share | None = None,
    lora_rank: _Count | None = None,
    lora_alpha: Annotated[float, Field(gt=0)] = 16.0,
    lora_dropout: _Share = 0.0,
    revision: str | None = None,
    trust_remote_code: bool = False,
    allow_pickle: bool = False,
    layers: _Count = 2,
    hidden: _Count = 128,
    heads: _Count = 4,
    feed_forward: _Count = 256,
    max_positions: _Count = 64,
    vocabulary_size: Annotated[int, Field(ge=16)] = 8000,
    *,
    vocabulary: Sequence[str] = (),
    sentences: Sequence[str] = (),
) -> SentenceEncoder:
    """A Hugging Face encoder by id or folder; without `model`, a small BERT trained from scratch.

    `pooling`: `cls` (the model's own pooler, tanh(W h + b)), `cls_before_pooler`, `mean`, `first_last`,
    `embeddings_last`, `top2` (princeton-nlp/SimCSE@49fa580:evaluation.py:119-138). `head: mlp` is SimCSE's Linear+Tanh
    on the pooled row, `batchnorm` DiffCSE's two layers (voidism/DiffCSE@f724b2c:diffcse/models.py:35-50); losses see
    both sides of it, evaluation only the side before it unless `keep_head` (an mlp). `max_length` counts ids, special
    ones included. Dropouts left out are the checkpoint's own; from scratch hidden .1, attention 0 (enough for SimCSE's
    two views, and a fifth cheaper on a CPU). `lora_rank` trains low-rank updates of every linear layer (peft) and
    freezes the rest.

    `lora_alpha` scales the updates (α/rank), `lora_dropout` is theirs. `hidden_dropout` and `attention_dropout` replace
    the dropouts named above. `normalize` scales pooled rows to unit length. `revision` is a commit, tag or branch of a
    hub id (left out: its newest); `trust_remote_code` runs code that stands beside the weights, which nothing here
    needs. `allow_pickle` opens weights that are no safetensors (read weights_only).

    From scratch: `layers`, `hidden`, `heads`, `feed_forward`, `max_positions` shape a BertConfig. The tokenizer is
    word-level over the streams' closed vocabulary where they have one, else WordPiece learned from their sentences
    (`vocabulary_size`).

    Raises DataError (missing, cut or pickled weights; `cls` of a model without pooler) and SuiteError (options that
    contradict one another). Weights are initialised from the global torch seed.
    """
    from dalr_bench_plugins.networks.encoder import Reading, SentenceEncoder
    from dalr_bench_plugins.networks.pretrained import Checkpoint, open_encoder, weights_fingerprint
    from dalr_bench_plugins.networks.vocabulary import TextTokenizer

    if keep_head and head != "mlp":
        raise SuiteError("`keep_head: true` needs `head: mlp`: there is no head to keep, or one of another form")
    dropouts = {"hidden_dropout": hidden_dropout, "attention_dropout": attention_dropout}
    given = {name: value for name, value in dropouts.items() if value is not None}
    if model is None:
        _check_scratch(hidden, heads, max_length, max_positions)
        tokenizer = _tokenizer(vocabulary, sentences, vocabulary_size)
        shape = (layers, hidden, heads, feed_forward, max_positions)
        encoder, origin = _scratch(shape, given, tokenizer), {"model": "scratch"}
    else:
        _refuse_scratch(locals())
        checkpoint = Checkpoint(model, revision, trust_remote_code, allow_pickle)
        encoder, tokenizer = open_encoder(checkpoint, needs_pooler=pooling == "cls", changes=given)
        _check_positions(encoder, max_length)
        origin = {"model": model, "weights": weights_fingerprint(checkpoint)}
        origin |= {"revision": revision} if revision else {}
        origin |= {"trust_remote_code": "true"} if trust_remote_code else {}
    if lora_rank is not None:
        encoder = _with_lora(encoder, lora_rank, lora_alpha, lora_dropout)
        origin["lora"] = str(lora_rank)
    reading = Reading(pooling, head, keep_head, normalize)
    return SentenceEncoder(encoder, TextTokenizer(tokenizer, max_length), reading, origin)


def _refuse_scratch(given: dict[str, Any]) -> None:
    """A shape option beside `model` would change nothing, and an ablation over it would compare equal runs."""
    defaults = {name: parameter.default for name, parameter in inspect.signature(hf).parameters.items()}
    changed = [name for name in _SCRATCH if given[name] != defaults[name]]
    if changed:
        raise SuiteError(f"{', '.join(changed)}: only for a backbone from scratch, but `model` is {given['model']!r}")


def _check_scratch(hidden: int, heads: int, max_length: int, max_positions: int) -> None:
    if hidden % heads:
        raise SuiteError(f"hidden: {hidden} is not a multiple of heads: {heads}")
    if max_length > max_positions:
        raise SuiteError(f"max_length: {max_length} is more than max_positions: {max_positions}")


def _check_positions(encoder: Any, max_length: int) -> None:
    # RoBERTa and MPNet number positions from the padding id on, so they hold fewer than they say.
    limit = getattr(encoder.config, "max_position_embeddings", None)
    padding = getattr(getattr(encoder, "embeddings", None), "padding_idx", None)
    offset = 0 if padding is None else padding + 1
    if limit is not None and max_length > limit - offset:
        raise SuiteError(f"max_length: {max_length} is more than the {limit - offset} positions this model has")


def _tokenizer(vocabulary: Sequence[str], sentences: Sequence[str], size: int) -> Any:
    from dalr_bench_plugins.networks.vocabulary import closed_vocabulary, learned_vocabulary

    return closed_vocabulary(vocabulary) if vocabulary else learned_vocabulary(sentences, size)


def _scratch(shape: tuple[int, int, int, int, int], dropouts: dict[str, float], tokenizer: Any) -> Any:
    from transformers import BertConfig, BertModel

    layers, hidden, heads, feed_forward, positions = shape
    config = BertConfig(
        vocab_size=len(tokenizer),
        num_hidden_layers=layers,
        hidden_size=hidden,
        num_attention_heads=heads,
        intermediate_size=feed_forward,
        max_position_embeddings=positions,
        hidden_dropout_prob=dropouts.get("hidden_dropout", 0.1),
        attention_probs_dropout_prob=dropouts.get("attention_dropout", 0.0),
        pad_token_id=tokenizer.pad_token_id,
        attn_implementation="sdpa",
    )
    return BertModel(config)


def _with_lora(encoder: Any, rank: int, alpha: float, dropout: float) -> Any:
    try:
        import peft
    except ImportError as error:
        raise SuiteError("lora_rank needs peft: pip install 'dalr-bench[lora]'") from error
    config = peft.LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules="all-linear")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers by a name that transformers is leaving
        return peft.get_peft_model(encoder, config)


def _parameters(options: Mapping[str, Any]) -> int | None:
    """Matrix parameters a token passes, for estimates; None for a model whose size only its files tell."""
    if options["model"] is not None:
        return None
    hidden = int(options["hidden"])
    return int(options["layers"]) * (4 * hidden**2 + 2 * hidden * int(options["feed_forward"]))


# A function says by an attribute what a class says by a static method.
vars(hf)["requires"] = model_requirement
vars(hf)["parameters"] = _parameters


@hookimpl
def register_backbones(register: Register) -> None:
    register("hf", hf)
