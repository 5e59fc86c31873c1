"""Attributions to input tokens, where the answer is known."""

import pytest
import torch

from genai_tutorial.interpretability import (
    ablate_tokens,
    attention_rollout,
    input_gradients,
    integrated_gradients,
)

X = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0))
BASE = torch.randn(4, generator=torch.Generator().manual_seed(1))
WEIGHT = torch.randn(5, 4, generator=torch.Generator().manual_seed(2))


def linear(x):
    return (x * WEIGHT).sum(dim=(1, 2))


def curved(x):
    return (x * WEIGHT).sum(dim=(1, 2)).tanh() + x[:, 0, 0] * x[:, 3, 1]


def test_linear_score_makes_ablation_and_integrated_gradients_equal():
    exact = ((X - BASE) * WEIGHT).sum(dim=2)
    ablation = ablate_tokens(linear, X, BASE, range(5))
    torch.testing.assert_close(ablation, exact)
    torch.testing.assert_close(integrated_gradients(linear, X, BASE, 3), exact)
    torch.testing.assert_close(input_gradients(linear, X), WEIGHT.expand(3, -1, -1))


def test_integrated_gradients_are_complete():
    parts = integrated_gradients(curved, X, BASE, steps=400)
    whole = curved(X) - curved(BASE.expand_as(X))
    torch.testing.assert_close(parts.sum(dim=1), whole, rtol=1e-3, atol=1e-3)


def test_ablation_takes_a_replacement_for_each_row_and_a_choice_of_positions():
    rows = X.roll(1, dims=0)[:, 2]
    found = ablate_tokens(curved, X, rows, [2])
    changed = X.clone()
    changed[:, 2] = rows
    torch.testing.assert_close(found[:, 0], curved(X) - curved(changed))


def test_gradients_leave_the_vectors_alone():
    assert not X.requires_grad
    with torch.no_grad():
        assert input_gradients(curved, X).shape == X.shape


def test_rollout_by_hand():
    maps = torch.tensor([[[[1.0, 0.0], [0.4, 0.6]]], [[[1.0, 0.0], [1.0, 0.0]]]])
    found = attention_rollout(maps[:, None])
    first = torch.tensor([[1.0, 0.0], [0.2, 0.8]])
    second = torch.tensor([[1.0, 0.0], [0.5, 0.5]])
    torch.testing.assert_close(found[0], second @ first)
    assert found.sum(dim=-1) == pytest.approx(torch.ones(1, 2))
