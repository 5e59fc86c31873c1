"""The draft's recipe: the teacher's targets, a resumable run, and what the draft is
measured on.
"""

from dataclasses import replace

import pytest
import torch

from genai_tutorial.generation import acceptance_rate
from genai_tutorial.recipes import (
    FACTBOOK_DRAFT,
    agreement,
    factbook_draft,
    load,
    packed_logits,
    teacher_targets,
)
from genai_tutorial.tasks.assistant import END_OF_TEXT
from genai_tutorial.transformer import DecoderConfig, DecoderLM
from tests.recipes.spot_check import spot_check

TINY = replace(
    FACTBOOK_DRAFT,
    config=DecoderConfig.llama(
        vocab_size=2048,
        context_length=128,
        width=8,
        layers=1,
        heads=1,
        key_value_heads=None,
        feed_forward_width=8,
        rotary_base=10_000,
        tied_embeddings=True,
    ),
    written=3,
    kept=4,
    batch_size=2,
    steps=6,
    warmup_steps=1,
    decay_steps=2,
)


@pytest.fixture
def few_rows(monkeypatch):
    """Let the recipe train on ten rows of the corpus and measure on ten."""
    whole = factbook_draft.packed_rows

    def ten_rows(*arguments):
        rows = whole(*arguments)
        return rows[:: len(rows) // 10][:10]

    monkeypatch.setattr(factbook_draft, "packed_rows", ten_rows)
    monkeypatch.setattr(factbook_draft, "N_CONTINUED", 2)


@pytest.mark.slow
def test_draft_resumes_and_its_metrics_are_those_of_the_spot_check(few_rows, resumes):
    model = resumes(TINY, factbook_draft, "top_target_loss").model.eval()
    metrics = TINY.measure(model)
    for measured in metrics["acceptance"], metrics["same_best_token"]:
        assert list(measured) == [
            "held_out_articles",
            "continued_articles",
            "continued_corpus",
        ]
        assert all(0 <= value < 1 for value in measured.values())
    check = spot_check(TINY, (model, load("factbook-base")[1]), 10, seed=0)
    assert check.on_card(metrics) == pytest.approx(
        sum(check.values) / len(check.values), abs=1e-4
    )
    assert TINY.summary(metrics).endswith("of its tokens accepted by factbook-base")


def test_teacher_targets_are_the_teachers_most_probable_tokens():
    teacher, tokenizer = load("factbook-base")
    end = tokenizer.special_tokens[END_OF_TEXT]
    ids = [*tokenizer.encode("Kenya is in Africa."), end]
    rows = torch.tensor([ids + tokenizer.encode("Peru is in")[: 12 - len(ids)]] * 3)
    found = teacher_targets(teacher, rows, end, kept=5, batch_size=2)
    with torch.no_grad():
        exact = packed_logits(teacher, rows, end).softmax(dim=-1)
    kept = exact.gather(2, found.ids.long())
    torch.testing.assert_close(kept, found.probabilities.float(), atol=1e-3, rtol=1e-3)
    assert torch.equal(found.ids[..., 0].long(), exact.argmax(dim=-1))
    assert (found.ids.dtype, found.probabilities.dtype) == (torch.int16, torch.half)


@torch.no_grad()
def test_agreement_is_measured_after_the_prompt():
    models = [DecoderLM(TINY.config, seed).eval() for seed in (0, 1)]
    text = torch.randint(2048, (9,), generator=torch.Generator().manual_seed(0))
    ((accepted, same),) = agreement(*models, [text.tolist()], start=3)
    q, p = (model(text[None, :-1])[0, 3:].softmax(dim=-1) for model in models)
    torch.testing.assert_close(accepted, acceptance_rate(p, q))
    assert same.tolist() == (p.argmax(-1) == q.argmax(-1)).float().tolist()
    ((accepted, same),) = agreement(models[0], models[0], [text.tolist()])
    torch.testing.assert_close(accepted, torch.ones(8))
    assert same.tolist() == [1.0] * 8
