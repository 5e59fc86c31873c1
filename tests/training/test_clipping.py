import copy

import pytest
import torch
from torch import nn

from genai_tutorial.training import clip_gradients


@pytest.mark.parametrize("max_norm", [0.01, 1.0, 1e6])
def test_clip_gradients_equals_torch(max_norm):
    model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 2))
    model(
        torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    ).square().sum().backward()
    model[2].bias.grad = None  # a parameter that took no part
    copied = copy.deepcopy(model)
    for ours, theirs in zip(model.parameters(), copied.parameters(), strict=True):
        theirs.grad = None if ours.grad is None else ours.grad.clone()
    norm = clip_gradients(list(model.parameters()), max_norm)
    expected = torch.nn.utils.clip_grad_norm_(copied.parameters(), max_norm)
    torch.testing.assert_close(norm, expected, rtol=1e-6, atol=0)
    for ours, theirs in zip(model.parameters(), copied.parameters(), strict=True):
        if theirs.grad is not None:
            torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-6, atol=0)


@pytest.mark.parametrize("count", [0, 2])
def test_clip_gradients_without_gradients_returns_zero(count):
    parameters = [nn.Parameter(torch.ones(3)) for _ in range(count)]
    norm = clip_gradients(parameters, 1.0)
    expected = torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    torch.testing.assert_close(norm, expected)
    assert norm == 0
    assert all(parameter.grad is None for parameter in parameters)


def test_clip_gradients_refuses_a_limit_of_zero():
    with pytest.raises(ValueError, match="max_norm must be above 0, got 0"):
        clip_gradients([nn.Parameter(torch.zeros(1))], 0.0)
