"""Distillation losses against torch's, their gradients, and texts that a teacher
writes.
"""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from genai_tutorial.efficiency import (
    sequence_level_examples,
    soft_target_loss,
    top_probabilities,
    top_target_loss,
)
from genai_tutorial.generation import generate
from tests.generation.test_speculative import model

seeds = st.integers(0, 10_000)


def logits(seed, spread=2.0):
    generator = torch.Generator().manual_seed(seed)
    return spread * torch.randn(2, 3, 5, 12, generator=generator)


@given(seeds, st.floats(0.5, 5))
@settings(max_examples=30)
def test_soft_target_loss_is_torchs_divergence_of_softened_distributions(seed, heat):
    student, teacher = logits(seed)
    expected = functional.kl_div(
        (student / heat).log_softmax(-1).flatten(0, 1),
        (teacher / heat).softmax(-1).flatten(0, 1),
        reduction="batchmean",
    )
    torch.testing.assert_close(
        soft_target_loss(student, teacher, heat), heat**2 * expected
    )


@given(seeds)
@settings(max_examples=20)
def test_soft_target_loss_gradient_keeps_its_size_at_high_temperature(seed):
    """With the factor T² the gradient converges, to the difference of the logits."""
    student, teacher = logits(seed, spread=1.0)
    student = student.requires_grad_()
    soft_target_loss(student, teacher, temperature=300.0).backward()
    centred = (student - teacher).detach()
    centred = centred - centred.mean(dim=-1, keepdim=True)
    torch.testing.assert_close(student.grad, centred / 12 / 15, atol=1e-4, rtol=0.02)


def test_distillation_losses_give_the_teacher_no_gradient():
    student, teacher = (rows.clone().requires_grad_() for rows in logits(0))
    soft_target_loss(student, teacher).backward()
    assert teacher.grad is None
    assert float(student.grad.abs().sum()) > 0


@given(seeds, st.integers(1, 11))
@settings(max_examples=30)
def test_top_target_loss_with_all_tokens_is_the_cross_entropy(seed, count):
    student, teacher = logits(seed)
    student = student.requires_grad_()
    p = teacher.softmax(-1)
    whole = -(p * student.log_softmax(-1)).sum(-1).mean()
    top = top_probabilities(teacher, 12)
    torch.testing.assert_close(
        top_target_loss(student, top.ids, top.probabilities),
        whole,
        rtol=1e-4,
        atol=1e-4,
    )
    (gradient,) = torch.autograd.grad(whole, student)
    top = top_probabilities(teacher, count)
    partial = top_target_loss(student, top.ids, top.probabilities)
    (found,) = torch.autograd.grad(partial, student)
    kept = torch.zeros_like(p, dtype=torch.bool).scatter(-1, top.ids, True)
    torch.testing.assert_close(found[kept], gradient[kept], atol=1e-5, rtol=1e-4)
    rest = [grad.masked_fill(kept, 0).sum(-1) for grad in (found, gradient)]
    torch.testing.assert_close(*rest, atol=1e-5, rtol=1e-4)


def test_sequence_level_examples_are_what_the_teacher_writes(monkeypatch):
    monkeypatch.setattr("genai_tutorial.efficiency.distillation.BATCH_SIZE", 2)
    teacher, prompts = model(0), torch.tensor([[1, 2], [3, 4], [5, 6]])

    def examples(stop_tokens):
        generator = torch.Generator().manual_seed(0)
        return sequence_level_examples(
            teacher, prompts, 10, stop_tokens=stop_tokens, generator=generator
        )

    whole, generator = examples([]), torch.Generator().manual_seed(0)
    for rows, texts in ((prompts[:2], whole[:2]), (prompts[2:], whole[2:])):
        assert texts == generate(teacher, rows, 10, generator=generator).tolist()
    stop = whole[0][4]
    cut = examples([stop])[0]
    assert cut == whole[0][: whole[0].index(stop, 2)]


def test_distillation_explains_wrong_arguments():
    student, teacher = logits(0)
    with pytest.raises(ValueError, match="temperature must be above 0, got 0"):
        soft_target_loss(student, teacher, 0)
    with pytest.raises(ValueError, match="from 1 to the 12 tokens, got 13"):
        top_probabilities(teacher, 13)
