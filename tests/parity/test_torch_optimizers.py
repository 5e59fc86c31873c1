"""AdamW and Muon against torch's own, step by step, on the same gradients."""

import pytest
import torch
from torch import nn

from genai_tutorial.training import AdamW, Muon

STEPS = 25
SHAPES = [(6, 6), (24, 6), (6, 24), (6, 6)]


def _run(optimizer_of, weights, rates):
    parameters = [nn.Parameter(weight.clone()) for weight in weights]
    optimizer = optimizer_of(parameters)
    generator = torch.Generator().manual_seed(1)
    for rate in rates:
        optimizer.param_groups[0]["lr"] = rate
        for number, parameter in enumerate(parameters):
            # Sizes far apart, as in a real network, and now and then a parameter
            # without a gradient.
            gradient = torch.randn(parameter.shape, generator=generator) * 10.0 ** (
                number - 2
            )
            parameter.grad = None if (number == 1 and rate == rates[3]) else gradient
        optimizer.step()
    return parameters


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("seed", range(5))
def test_adamw_equals_torch(weight_decay, seed):
    generator = torch.Generator().manual_seed(seed)
    weights = [torch.randn(shape, generator=generator) for shape in [*SHAPES, (5,), ()]]
    rates = torch.linspace(0.02, 0.001, STEPS).tolist()
    settings = {"betas": (0.9, 0.99), "weight_decay": weight_decay}
    ours = _run(lambda p: AdamW(p, epsilon=1e-8, **settings), weights, rates)
    theirs = _run(lambda p: torch.optim.AdamW(p, eps=1e-8, **settings), weights, rates)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="torch has Muon since 2.9")
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("seed", range(5))
def test_muon_equals_torch(weight_decay, seed, monkeypatch):
    # torch orthogonalizes in bfloat16; in float32 the two must agree to rounding.
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda tensor: tensor.clone())
    generator = torch.Generator().manual_seed(seed)
    weights = [torch.randn(shape, generator=generator) for shape in SHAPES]
    rates = torch.linspace(0.05, 0.01, STEPS).tolist()
    settings = {"momentum": 0.95, "weight_decay": weight_decay}
    ours = _run(lambda p: Muon(p, **settings), weights, rates)
    theirs = _run(lambda p: torch.optim.Muon(p, **settings), weights, rates)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)
