"""replaced_token: masking, guessing, the conditional discriminator, and the two ways to have a generator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from by_hand import mean
from loss_inputs import loss_inputs

from dalr_bench import DataError, Dims, LossInputs, SuiteError, TokenBatch
from dalr_bench_plugins.losses.replaced_token import ReplacedToken

N, L, D, V = 6, 9, 8, 30
PAD, CLS, SEP, MASK, UNK = range(5)
DIMS = Dims(student=D, vocabulary=V, pad_id=PAD, mask_id=MASK, special_ids=frozenset({PAD, CLS, SEP, MASK, UNK}))


def made(**options: Any) -> ReplacedToken:
    torch.manual_seed(0)
    small = {"heads": 2, "layers": 1, "generator_width": 8, "generator_heads": 2, "dropout": 0.0}
    return ReplacedToken(dims=DIMS, **(small | options))


def tokens() -> TokenBatch:
    generator = torch.Generator().manual_seed(3)
    ids = torch.randint(5, V, (N, L), generator=generator)
    lengths = torch.tensor([9, 4, 7, 9, 5, 6])
    mask = (torch.arange(L)[None] < lengths[:, None]).long()
    ids[:, 0] = CLS
    ids[torch.arange(N), lengths - 1] = SEP
    return TokenBatch(ids * mask, mask)


def batch(views: int = 2, seed: int = 0, **kept: Any) -> LossInputs:
    generator = torch.Generator().manual_seed(9)
    rows = [torch.randn(N, D, generator=generator).requires_grad_() for _ in range(views)]
    return loss_inputs(kept.pop("rows", rows), tokens=tokens(), seed=seed, **kept)


class Spy(torch.nn.Module):
    """Stands where the discriminator is, keeps what it is shown and answers as told."""

    def __init__(self, answer: float = 0.0) -> None:
        super().__init__()
        self.answer = answer
        self.seen: tuple[torch.Tensor, ...] = ()

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        self.seen = (ids, mask, condition)
        return torch.full(ids.shape, self.answer) + 0 * condition.sum()


def always(word: int) -> Any:
    """A generator sure of one word, that also keeps what it was shown."""

    def generator(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        generator.shown = ids  # type: ignore[attr-defined]
        return torch.nn.functional.one_hot(torch.full_like(ids, word), V) * 50.0

    return generator


def spied(word: int = 7, **options: Any) -> tuple[ReplacedToken, Spy, Any]:
    loss = made(**options)
    loss.discriminator = Spy()  # type: ignore[assignment]
    del loss.generator
    loss.generator = always(word)
    loss.trains_generator = False
    return loss, loss.discriminator, loss.generator  # type: ignore[return-value]


def test_only_words_are_masked_and_only_they_are_replaced() -> None:
    loss, spy, generator = spied(mask_ratio=0.5)
    loss(batch())
    ids, mask = tokens().ids_NL.repeat(2, 1), tokens().mask_NL.repeat(2, 1)
    masked = generator.shown == MASK
    assert 0.3 < masked.sum() / (ids >= 5).sum() < 0.7
    assert not masked[ids < 5].any()
    assert torch.equal(generator.shown[~masked], ids[~masked])
    edited, shown_mask, _ = spy.seen
    assert torch.equal(edited, torch.where(masked, 7, ids))
    assert torch.equal(shown_mask, mask)
    assert not torch.equal(masked[:N], masked[N:])  # each view has a mask of its own


def test_replace_all_takes_the_generators_word_everywhere_but_first() -> None:
    loss, spy, _ = spied(replace="all")
    loss(batch())
    edited = spy.seen[0][:N]
    real = tokens().mask_NL == 1
    assert torch.equal(edited[:, 0], tokens().ids_NL[:, 0])
    assert bool((edited[:, 1:][real[:, 1:]] == 7).all())
    assert bool((edited[~real] == PAD).all())


@pytest.mark.parametrize("over", ["real", "words", "all"])
@pytest.mark.parametrize("answer", [0.0, 1.7])
def test_equals_loops(over: str, answer: float) -> None:
    """BCE of one verdict for every counted token: −log σ(a) where replaced, −log σ(−a) where not."""
    loss, spy, _ = spied(over=over, mask_ratio=0.4)
    spy.answer = answer
    output = loss(batch())
    edited, ids, mask = spy.seen[0], tokens().ids_NL.repeat(2, 1), tokens().mask_NL.repeat(2, 1)
    terms, changed = [], []
    for i in range(2 * N):
        for t in range(L):
            if over == "all" or (mask[i, t] == 1 and (over == "real" or ids[i, t] >= 5)):
                was = bool(edited[i, t] != ids[i, t])
                changed.append(torch.tensor(float(was)))
                terms.append(-torch.sigmoid(torch.tensor(answer if was else -answer)).log())
    assert torch.allclose(output.loss, mean(terms))
    assert torch.allclose(output.terms["replaced"], mean(changed))
    right = mean(changed) if answer > 0 else 1 - mean(changed)
    assert torch.allclose(output.terms["accuracy"], right)


def test_closed_form_undecided_discriminator() -> None:
    """All verdicts ½: log 2, whatever was replaced."""
    loss, _, _ = spied()
    assert loss(batch()).loss.item() == pytest.approx(0.693147, rel=1e-5)


def test_random_and_kept_shares() -> None:
    words = tokens().ids_NL.repeat(2, 1) >= 5
    loss, _, generator = spied(mask_ratio=0.99, keep_share=1.0)
    loss(batch())
    assert torch.equal(generator.shown, tokens().ids_NL.repeat(2, 1))
    loss, _, generator = spied(mask_ratio=0.99, random_share=1.0)
    loss(batch())
    different = (generator.shown != tokens().ids_NL.repeat(2, 1))[words]
    assert different.float().mean() > 0.8
    assert not bool((generator.shown == MASK)[words].float().mean() > 0.2)


@pytest.mark.parametrize("condition", ["projected", "pooled"])
@pytest.mark.parametrize("views", [1, 2])
def test_condition_and_views(condition: str, views: int) -> None:
    pooled = [torch.full((N, D), 10.0 + view) for view in range(2)]
    loss, spy, _ = spied(condition=condition, views=views)
    inputs = batch(pooled=pooled)
    loss(inputs)
    source = inputs.encoding.pooled_NVD if condition == "pooled" else inputs.encoding.projected_NVD
    assert loss.views == views
    assert torch.equal(spy.seen[2], torch.cat([source[:, view] for view in range(views)]))


def test_projector_stands_before_the_discriminator() -> None:
    loss, spy, _ = spied(projector="batchnorm")
    inputs = batch()
    loss(inputs)
    flat = torch.cat([inputs.encoding.projected_NVD[:, view] for view in range(2)])
    assert torch.allclose(spy.seen[2], loss.projector(flat))
    assert torch.allclose(spy.seen[2].mean(0), torch.zeros(D), atol=1e-5)  # the last BatchNorm has no scale or shift
    assert torch.allclose(spy.seen[2].var(0, unbiased=False), torch.ones(D), atol=1e-2)


def test_gradient_reaches_sentence_discriminator_and_generator() -> None:
    loss, inputs = made(), batch()
    rows = inputs.encoding.projected_NVD
    rows.retain_grad()
    output = loss(inputs)
    output.loss.backward()
    assert rows.grad is not None
    assert bool((rows.grad.abs().amax((0, 2)) > 0).all())
    for module in (loss.discriminator, loss.generator):
        learned = [p.grad is not None and float(p.grad.abs().max()) > 0 for p in module.parameters()]
        assert sum(learned) >= len(learned) - 1  # a key's bias shifts all scores alike and may learn nothing
    assert set(output.terms) == {"detection", "generator", "replaced", "accuracy"}


def test_detection_teaches_the_generator_nothing() -> None:
    loss = made(generator_weight=0.0)
    loss(batch()).loss.backward()
    grads = [p.grad for p in loss.generator.parameters()]  # type: ignore[attr-defined]
    assert all(grad is None or float(grad.abs().max()) == 0 for grad in grads)


@pytest.mark.parametrize("weight", [0.5, 50.0])
def test_generator_weight(weight: float) -> None:
    output = made(generator_weight=weight)(batch())
    assert torch.allclose(output.loss, output.terms["detection"] + weight * output.terms["generator"])


def test_sentence_vector_changes_the_verdicts() -> None:
    loss = made()
    ids, mask = tokens().ids_NL, tokens().mask_NL
    verdicts = [loss.discriminator(ids, mask, torch.full((N, D), value)) for value in (0.1, 0.1, -2.0)]
    assert torch.equal(verdicts[0], verdicts[1])
    assert not torch.allclose(verdicts[0], verdicts[2])


def test_draws_come_from_the_steps_generator_alone() -> None:
    loss = made(pick="sample")
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = loss(batch(seed=4)).loss
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(loss(batch(seed=4)).loss, first)
    assert not torch.equal(loss(batch(seed=5)).loss, first)


def test_training_finds_replaced_words() -> None:
    """A generator sure of word 7: after a few steps the discriminator knows it."""
    loss = made(views=1)
    del loss.generator
    loss.generator, loss.trains_generator = always(7), False
    optimizer = torch.optim.Adam(loss.discriminator.parameters(), 0.02)
    for step in range(40):
        optimizer.zero_grad()
        loss(batch(seed=step)).loss.backward()
        optimizer.step()
    assert loss(batch(seed=99)).terms["accuracy"].item() > 0.97


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT with its masked-word head, as a local folder."""
    from transformers import BertConfig, BertForMaskedLM

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=V,
        hidden_size=12,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=16,
        hidden_dropout_prob=0.2,
        attention_probs_dropout_prob=0.2,
    )
    where = tmp_path_factory.mktemp("generator")
    BertForMaskedLM(config).save_pretrained(where)
    return where


def test_frozen_generator_is_asked_and_never_trained(folder: Path) -> None:
    from dalr_bench_plugins.networks.pretrained_tokens import FrozenGenerator

    loss = made(generator=str(folder))
    assert isinstance(loss.generator, FrozenGenerator)
    assert not isinstance(loss.generator, torch.nn.Module)  # so it is neither trained nor saved
    first, second = loss(batch()), loss(batch())
    assert torch.equal(first.loss, second.loss)  # its dropout is off
    assert "generator" not in first.terms
    assert torch.equal(first.loss.detach(), first.terms["detection"])
    ids, mask = tokens().ids_NL, tokens().mask_NL
    logits = loss.generator(ids, mask)
    assert logits.shape == (N, L, V)
    assert not logits.requires_grad
    noisy = made(generator=str(folder), generator_dropout=True).generator
    assert not torch.equal(noisy(ids, mask), noisy(ids, mask))


def test_pretrained_discriminator_is_conditioned_at_its_first_place(folder: Path) -> None:
    loss = made(discriminator=str(folder), views=1)
    body: Any = loss.discriminator.body
    body.eval()
    ids, mask, first = tokens().ids_NL, tokens().mask_NL, torch.randn(N, 12)
    other = torch.where(torch.arange(L) == 0, 9, ids)
    plain = body(ids, mask)
    assert not torch.allclose(plain, body(other, mask))
    assert torch.allclose(body(ids, mask, first), body(other, mask, first))  # what stood there is gone
    assert not torch.allclose(plain, body(ids, mask, first))
    assert torch.equal(plain, body(ids, mask))  # and comes back
    rows = [torch.randn(N, D, requires_grad=True)]
    loss(batch(rows=rows)).loss.backward()
    assert rows[0].grad is not None
    assert float(rows[0].grad.abs().max()) > 0
    assert all(p.grad is not None for p in loss.discriminator.parameters())


def test_a_generator_of_another_vocabulary_is_a_fault(folder: Path) -> None:
    wide = Dims(student=D, vocabulary=V + 1, mask_id=MASK, special_ids=DIMS.special_ids)
    with pytest.raises(SuiteError, match="two tokenizers"):
        ReplacedToken(generator=str(folder), dims=wide)


def test_a_missing_generator_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot load") as caught:
        made(generator=str(tmp_path / "nowhere"))
    assert "\n" not in str(caught.value)


def test_a_tokenizer_without_mask_token_is_a_fault() -> None:
    with pytest.raises(SuiteError, match="no mask token"):
        ReplacedToken(dims=Dims(student=D, vocabulary=V))


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(SuiteError, match="cannot have 3 heads"):
        made(heads=3)


def test_shares_are_shares() -> None:
    with pytest.raises(SuiteError, match="at most 1"):
        made(random_share=0.6, keep_share=0.6)
