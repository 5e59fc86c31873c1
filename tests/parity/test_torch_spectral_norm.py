"""Parity of spectral normalization with torch, call by call."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from genai_tutorial.gan import spectral_norm


def pair(make):
    """Build a layer with our normalization and one with torch's, with equal vectors."""
    torch.manual_seed(0)
    ours, theirs = make(), make()
    theirs.load_state_dict(ours.state_dict())
    spectral_norm(ours)
    parametrizations.spectral_norm(theirs)
    mine, other = ours.parametrizations.weight[0], theirs.parametrizations.weight[0]
    other._u.copy_(mine.u)
    other._v.copy_(mine.v)
    return ours, theirs


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: nn.Linear(7, 5), (4, 7)),
        (lambda: nn.Linear(3, 9), (4, 3)),
        (lambda: nn.Conv2d(2, 6, 3, stride=2, padding=1), (4, 2, 8, 8)),
    ],
    ids=["wide", "tall", "convolution"],
)
def test_spectral_norm_training_equals_torch(make, shape):
    ours, theirs = pair(make)
    optimizers = [
        torch.optim.SGD(layer.parameters(), lr=0.5) for layer in (ours, theirs)
    ]
    generator = torch.Generator().manual_seed(1)
    for _ in range(20):
        x = torch.randn(shape, generator=generator)
        results = [layer(x) for layer in (ours, theirs)]
        torch.testing.assert_close(*results, rtol=1e-5, atol=1e-6)
        for optimizer, result in zip(optimizers, results, strict=True):
            optimizer.zero_grad()
            result.square().mean().backward()
        gradients = [
            layer.parametrizations.weight.original.grad for layer in (ours, theirs)
        ]
        torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-6)
        for optimizer in optimizers:
            optimizer.step()
    ours.eval(), theirs.eval()
    torch.testing.assert_close(ours.weight, theirs.weight, rtol=1e-5, atol=1e-6)
    # the normalization has an effect
    assert not torch.allclose(ours.weight, ours.parametrizations.weight.original)


def test_spectral_norm_converges_to_the_largest_singular_value():
    ours, theirs = pair(lambda: nn.Linear(12, 10))
    for _ in range(300):
        ours(torch.zeros(1, 12)), theirs(torch.zeros(1, 12))
    exact = (
        theirs.parametrizations.weight.original
        / torch.linalg.svdvals(theirs.parametrizations.weight.original)[0]
    )
    torch.testing.assert_close(ours.weight, exact, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(theirs.weight, exact, rtol=1e-4, atol=1e-5)
