"""Balancing without a loss: what the bias changes, and what it leaves alone."""

from dataclasses import replace

import pytest
import torch

from genai_tutorial.transformer import (
    BiasedRouter,
    DecoderConfig,
    DecoderLM,
    MixtureConfig,
    MixtureOfExperts,
    balance_experts,
    routings,
)
from tests.drawn import integers, normal


def make_router(per_token=2):
    router = BiasedRouter(4, 6, per_token)
    router.scores.weight.data = normal(6, 4)
    return router


def test_bias_changes_the_choice_and_not_the_weights():
    router, tokens = make_router(), normal(50, 4, seed=1)
    before = router(tokens)
    router.bias[2] = 10.0
    after = router(tokens)
    assert (after.chosen == 2).any(dim=1).all()
    assert not (before.chosen == 2).any(dim=1).all()
    scores = router.scores(tokens).sigmoid().gather(1, after.chosen)
    torch.testing.assert_close(after.weights, scores / scores.sum(1, keepdim=True))
    torch.testing.assert_close(after.probabilities, before.probabilities)


def test_single_expert_has_its_score_as_weight():
    router, tokens = make_router(1), normal(9, 4, seed=1)
    routing = router(tokens)
    expected = router.scores(tokens).sigmoid().amax(dim=1, keepdim=True)
    torch.testing.assert_close(routing.weights, expected)


def test_balance_moves_against_the_load():
    router = make_router(1)
    router.scores.weight.data.zero_()
    router.bias[:3] = torch.tensor([0.3, 0.2, 0.1])
    routing = router(normal(8, 4))
    assert (routing.chosen == 0).all()
    router.balance(routing, 0.05)
    expected = torch.tensor([0.25, 0.25, 0.15, 0.05, 0.05, 0.05])
    torch.testing.assert_close(router.bias, expected)


def test_even_load_moves_nothing():
    router = BiasedRouter(2, 2, 1)
    router.scores.weight.data = torch.eye(2)
    router.balance(router(torch.eye(2)), 0.1)
    assert router.bias.abs().max() == 0


@pytest.mark.slow
def test_balancing_evens_the_loads_of_a_model():
    config = DecoderConfig.llama(13, 24, 16, 2, 2, 2, 24)
    config = replace(config, mixture=MixtureConfig(6, 1, expert_width=8))
    model = DecoderLM(config, seed=0)
    with pytest.raises(ValueError, match="0 mixtures with a BiasedRouter"):
        balance_experts(model, 0.1)
    for layer in model.modules():
        if isinstance(layer, MixtureOfExperts):
            layer.router = make_biased(layer)
    with pytest.raises(ValueError, match="must have run"):
        balance_experts(model, 0.1)
    ids, loads = integers(13, 16, 24), []
    for _ in range(200):
        model(ids)
        counts = [r.chosen.flatten().bincount(minlength=6) for r in routings(model)]
        loads.append(max(count.max().item() for count in counts) / ids.numel())
        balance_experts(model, 0.01)
    assert loads[0] > 0.9
    assert sum(loads[-20:]) / 20 < 0.55  # 13 tokens are few large pieces


def make_biased(layer):
    router = BiasedRouter(16, 6, 1)
    router.scores.weight.data = 3 * normal(6, 16)
    router.bias[0] = 1.0
    return router
