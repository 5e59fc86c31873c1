"""One training step: equal to the same lines in plain PyTorch, and never a NaN."""

import math

import pytest
import torch
from torch import nn

from genai_tutorial.training import build_optimizer, train_step
from genai_tutorial.transformer import next_token_loss
from tests.training import runs


def _loss(model, inputs, targets):
    return next_token_loss(model(inputs), targets)


@pytest.mark.parametrize("clip_norm", [None, 0.05, 1.0])
def test_train_step_equals_plain_pytorch(clip_norm):
    """Five steps have the losses and weights of the five lines written out."""
    model, batches, _ = runs.make(dropout=False)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    plain, _, _ = runs.make(dropout=False)
    plain_optimizer = torch.optim.AdamW(plain.parameters(), lr=0.01)
    for inputs, targets in (next(batches) for _ in range(5)):
        value = train_step(model, (inputs, targets), _loss, optimizer, clip_norm)
        plain_optimizer.zero_grad()
        loss = next_token_loss(plain(inputs), targets)
        loss.backward()
        if clip_norm is not None:
            nn.utils.clip_grad_norm_(plain.parameters(), clip_norm)
        plain_optimizer.step()
        assert value == pytest.approx(loss.item(), abs=1e-6)
    for ours, theirs in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


def test_train_step_clears_the_previous_gradients():
    """A step after a stray backward pass equals a step without it, to the last bit."""
    prints = []
    for stray in (False, True):
        model, batches, _ = runs.make(dropout=False)
        optimizer, batch = build_optimizer(model), next(batches)
        if stray:
            _loss(model, *next(batches)).backward()
        train_step(model, batch, _loss, optimizer)
        prints.append(runs.fingerprint(model))
    assert prints[0] == prints[1]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_train_step_with_a_loss_that_is_not_finite_leaves_the_parameters(value):
    model, batches, _ = runs.make(dropout=False)
    before = runs.fingerprint(model)
    with pytest.raises(FloatingPointError, match=f"The loss is {value}: the run has"):
        train_step(
            model,
            next(batches),
            lambda model, x, y: _loss(model, x, y) * value,
            build_optimizer(model),
        )
    assert runs.fingerprint(model) == before


def test_clip_gradients_ignores_frozen_parameters():
    """A gradient that a parameter had before it was frozen does not count."""
    model = nn.Linear(1, 1)
    model.bias.grad = torch.tensor([100.0])
    model.bias.requires_grad_(False)
    optimizer = torch.optim.SGD([model.weight], lr=1.0)
    before = model.weight.item()
    train_step(model, (torch.ones(1, 1),), lambda model, x: model(x).sum(), optimizer)
    assert before - model.weight.item() == pytest.approx(1, abs=1e-5)
