"""The parts of the world model against torch's own."""

import torch
from torch.distributions import (
    Independent,
    OneHotCategorical,
    OneHotCategoricalStraightThrough,
    kl_divergence,
)

from genai_tutorial.worldmodels import categorical_kl, straight_through_sample
from genai_tutorial.worldmodels.model import GatedRecurrentUnit, mix_uniform


def test_gated_recurrent_unit_is_torch_gru():
    """With the same weights, one step is `nn.GRUCell` and a window is `nn.GRU`; the
    gradients agree, too.
    """
    torch.manual_seed(0)
    ours, cell, layer = (
        GatedRecurrentUnit(5, 7),
        torch.nn.GRUCell(5, 7),
        torch.nn.GRU(5, 7),
    )
    pairs = (("weight_ih", ours.from_input.weight), ("bias_ih", ours.from_input.bias),
             ("weight_hh", ours.from_memory.weight), ("bias_hh", ours.from_memory.bias))  # fmt: skip  # noqa: E501
    with torch.no_grad():
        for name, weight in pairs:
            getattr(cell, name).copy_(weight)
            getattr(layer, f"{name}_l0").copy_(weight)
    x, memory = torch.randn(6, 3, 5), torch.zeros(3, 7)
    memories = []
    for step in x:
        torch.testing.assert_close(ours(step, memory), cell(step, memory))
        memory = ours(step, memory)
        memories.append(memory)
    whole, _ = layer(x)
    torch.testing.assert_close(torch.stack(memories), whole)
    torch.stack(memories).square().sum().backward()
    whole.square().sum().backward()
    for name, weight in pairs:
        torch.testing.assert_close(
            weight.grad, getattr(layer, f"{name}_l0").grad, atol=1e-5, rtol=1e-5
        )


def test_categorical_kl_is_that_of_torch_distributions():
    """Summed over the groups, with probabilities and gradients."""
    torch.manual_seed(0)
    logits = torch.randn(2, 9, 4, 6, requires_grad=True)
    p, q = mix_uniform(logits, 0.01)
    ours = categorical_kl(p, q)
    theirs = kl_divergence(
        Independent(OneHotCategorical(probs=p), 1),
        Independent(OneHotCategorical(probs=q), 1),
    )
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-6)
    (gradient,) = torch.autograd.grad(ours.sum(), logits, retain_graph=True)
    (expected,) = torch.autograd.grad(theirs.sum(), logits)
    torch.testing.assert_close(gradient, expected, atol=1e-6, rtol=1e-5)


def test_straight_through_is_that_of_torch_distributions():
    """The same sample from the same random numbers, and the same gradient."""
    torch.manual_seed(0)
    logits, weights = torch.randn(50, 6, requires_grad=True), torch.randn(50, 6)
    ours = straight_through_sample(
        logits.softmax(dim=-1), torch.Generator().manual_seed(3)
    )
    torch.manual_seed(3)
    theirs = OneHotCategoricalStraightThrough(logits=logits).rsample()
    torch.testing.assert_close(ours, theirs)
    (gradient,) = torch.autograd.grad((ours * weights).sum(), logits)
    (expected,) = torch.autograd.grad((theirs * weights).sum(), logits)
    torch.testing.assert_close(gradient, expected)
