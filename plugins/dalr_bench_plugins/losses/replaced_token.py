"""Replaced-token detection conditioned on the sentence vector."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import torch
from pydantic import Field

from dalr_bench import Dims, LossInputs, LossOutput, Requirement, SuiteError, hookimpl
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.formulas.replacement import Masks, draw_masks, masked_words, mean_where, predicted
from dalr_bench_plugins.formulas.similarity import single
from dalr_bench_plugins.networks.requirements import model_requirement

if TYPE_CHECKING:
    from torch import Tensor


class ReplacedToken:
    """A generator fills masked words; a discriminator that sees the sentence vector says which words were changed.

    mean over tokens of BCE(D(x'', h)_t, 1[x''_t ≠ x_t]), x'' = x with G(mask(x)) at the masked places, h = the
    sentence vector of a view: its gradient teaches h what the words were. Source: DiffCSE (Chuang et al. 2022);
    voidism/DiffCSE@f724b2c:diffcse/models.py:180-199,262-273, run_diffcse.sh.

    `generator`: a Hugging Face masked language model by id or folder, frozen (theirs: distilbert-base-uncased); None
    trains a small one along (`generator_width`, `generator_layers`, `generator_heads`) by masked-word prediction,
    with `generator_weight` times its cross entropy (a departure, for vocabularies without one; as ELECTRA, which
    samples). `generator_dropout` leaves a frozen one's dropout on, as the code does. `pick: argmax` as the code or
    `sample`. `mask_ratio` .30 (STS), .15 (transfer). `random_share` and `keep_share` of the chosen words become a
    random word or stay (code .1 and .1). `replace: all` takes the generator's word at every place but the first, as
    the code does; `masked` is the paper. `over`: real tokens, `words` (no special tokens), or `all` (the code
    averages over padding too).

    Discriminator: `discriminator` by Hugging Face id or folder (theirs starts from the student's own checkpoint), or
    None: from scratch with `layers`, `heads`, `dropout`, as wide as the student. `condition`: the row after the
    training head (theirs is a BatchNorm MLP) or the pooled one; `projector: batchnorm` puts that MLP in between, owned
    by this loss. `views` 2 conditions on both dropout passes with a mask each, as the code; 1 halves the cost.

    Needs a tokenizer with a mask token (SuiteError).
    """

    def __init__(
        self,
        generator: str | None = None,
        discriminator: str | None = None,
        mask_ratio: Annotated[float, Field(gt=0, lt=1)] = 0.30,
        layers: Annotated[int, Field(ge=1)] = 2,
        heads: Annotated[int, Field(ge=1)] = 4,
        generator_width: Annotated[int, Field(ge=1)] = 64,
        generator_layers: Annotated[int, Field(ge=1)] = 1,
        generator_heads: Annotated[int, Field(ge=1)] = 4,
        generator_weight: Annotated[float, Field(ge=0)] = 1.0,
        generator_dropout: bool = False,
        pick: Literal["argmax", "sample"] = "argmax",
        replace: Literal["masked", "all"] = "masked",
        over: Literal["real", "words", "all"] = "real",
        random_share: Annotated[float, Field(ge=0, le=1)] = 0.0,
        keep_share: Annotated[float, Field(ge=0, le=1)] = 0.0,
        condition: Literal["projected", "pooled"] = "projected",
        projector: Literal["none", "batchnorm"] = "none",
        views: Literal[1, 2] = 2,
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1,
        *,
        dims: Dims,
    ) -> None:
        from torch import nn

        from dalr_bench_plugins.networks.heads import BatchNormProjector
        from dalr_bench_plugins.networks.pretrained_tokens import FrozenGenerator, PretrainedBody
        from dalr_bench_plugins.networks.token_transformer import (
            Discriminator,
            MaskedWordModel,
            Shape,
            TokenTransformer,
            Words,
        )

        if dims.mask_id is None:
            raise SuiteError("replaced_token: the student's tokenizer has no mask token")
        if random_share + keep_share > 1:
            raise SuiteError("replaced_token: random_share and keep_share together are at most 1")
        self.views = views
        self.masks = Masks(mask_ratio, random_share, keep_share, dims.mask_id, dims.vocabulary)
        self.pick, self.replace, self.over = pick, replace, over
        self.condition = condition
        self.generator_weight = generator_weight
        self.words = Words(dims.vocabulary, dims.special_ids | {dims.pad_id, dims.mask_id})
        self.projector = BatchNormProjector(dims.student) if projector == "batchnorm" else nn.Identity()
        self.trains_generator = generator is None
        self.generator: Callable[[Tensor, Tensor], Tensor]
        if generator is None:
            small = Shape(dims.vocabulary, generator_width, generator_layers, generator_heads, dropout=dropout)
            self.generator = MaskedWordModel(small)
        else:
            self.generator = FrozenGenerator(generator, dims.vocabulary, generator_dropout)
        if discriminator is None:
            body: nn.Module = TokenTransformer(Shape(dims.vocabulary, dims.student, layers, heads, dropout=dropout))
            width = dims.student
        else:
            body = PretrainedBody(discriminator)
            width = body.width
        self.discriminator = Discriminator(body, dims.student, width)

    @staticmethod
    def requires(options: Mapping[str, Any]) -> list[Requirement]:
        """The generator and the discriminator, where they are pretrained ones."""
        return [*model_requirement(options, "generator"), *model_requirement(options, "discriminator")]

    def __call__(self, inputs: LossInputs) -> LossOutput:
        vectors_ND = self._vectors(inputs)
        copies = len(vectors_ND) // len(inputs.batch.tokens.ids_NL)
        ids_NL = inputs.batch.tokens.ids_NL.repeat(copies, 1)
        mask_NL = inputs.batch.tokens.mask_NL.repeat(copies, 1)
        words_NL = self.words(ids_NL) & (mask_NL == 1)
        shown_NL, chosen_NL = draw_masks(self.masks, ids_NL, words_NL, inputs.generator)
        logits_NLV = self.generator(shown_NL, mask_NL)
        edited_NL = self._edited(predicted(logits_NLV, self.pick, inputs.generator), ids_NL, mask_NL, chosen_NL)
        changed_NL = edited_NL != ids_NL
        verdicts_NL = single(self.discriminator(edited_NL, mask_NL, vectors_ND))
        bce_NL = torch.nn.functional.binary_cross_entropy_with_logits(
            verdicts_NL, changed_NL.to(verdicts_NL.dtype), reduction="none"
        )
        counted_NL = {"real": mask_NL == 1, "words": words_NL, "all": torch.ones_like(words_NL)}[self.over]
        loss = mean_where(bce_NL, counted_NL)
        right_NL = (verdicts_NL.detach() > 0) == changed_NL
        terms = {
            "detection": loss.detach(),
            "replaced": mean_where(changed_NL.float(), counted_NL),
            "accuracy": mean_where(right_NL.float(), counted_NL),
        }
        if self.trains_generator:
            own = masked_words(logits_NLV, ids_NL, chosen_NL)
            terms["generator"] = own.detach()
            loss = loss + self.generator_weight * own
        return LossOutput(loss, terms)

    def _vectors(self, inputs: LossInputs) -> Tensor:
        """Sentence vectors of the views that take part, view after view, [V·N, D]."""
        encoding = inputs.encoding
        rows_NVD = encoding.pooled_NVD if self.condition == "pooled" else encoding.projected_NVD
        vectors_ND: Tensor = self.projector(rows_NVD[:, : self.views].transpose(0, 1).flatten(0, 1))
        return vectors_ND

    def _edited(self, guess_NL: Tensor, ids_NL: Tensor, mask_NL: Tensor, chosen_NL: Tensor) -> Tensor:
        """The sentence with the generator's words in it, [N, L]."""
        if self.replace == "masked":
            return torch.where(chosen_NL, guess_NL, ids_NL)
        first_L = torch.arange(ids_NL.shape[1], device=ids_NL.device) == 0
        return torch.where((mask_NL == 1) & ~first_L, guess_NL, ids_NL)


@hookimpl
def register_losses(register: Register) -> None:
    register("replaced_token", ReplacedToken)
