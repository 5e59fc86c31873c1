"""Superposition: the toy model, and states made of known directions."""

import pytest
import torch

from genai_tutorial.interpretability import (
    SuperpositionToy,
    best_cosines,
    draw_superposed,
    random_directions,
    train_superposition,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_toy_computes_equation_1_of_its_source():
    model = SuperpositionToy(4, 2, seed=1)
    with torch.no_grad():
        model.bias.copy_(torch.tensor([0.1, -0.2, 0.3, 0.0]))
        x = torch.rand(7, 4, generator=seeded())
        hidden = torch.einsum("bf,fd->bd", x, model.weight)
        expected = torch.einsum("bd,fd->bf", hidden, model.weight) + model.bias
        torch.testing.assert_close(model(x), expected.clamp(min=0))


@pytest.mark.slow
def test_training_stores_rare_features_in_directions_that_are_not_orthogonal():
    model = train_superposition(3, 2, share_on=0.05, seed=0, steps=600)
    assert not model.weight.requires_grad
    assert bool((model.weight.norm(dim=1) > 0.5).all())
    same = train_superposition(3, 2, share_on=0.05, seed=0, steps=600)
    assert torch.equal(model.weight, same.weight)


def test_superposed_states_are_sums_of_directions_that_are_on():
    directions = random_directions(12, 5, seeded())
    torch.testing.assert_close(directions.norm(dim=1), torch.ones(12))
    x, amounts = draw_superposed(4_000, directions, 0.25, seeded(1))
    noise = x - amounts @ directions
    assert 0.018 < float(noise.std()) < 0.022
    on = amounts > 0
    assert 0.23 < float(on.float().mean()) < 0.27
    assert float(amounts[on].min()) >= 0.5
    assert float(amounts[on].max()) <= 1.5


def test_best_cosines_ignore_sign_length_and_order():
    directions = random_directions(6, 4, seeded())
    candidates = -3 * directions.flip(0)
    torch.testing.assert_close(best_cosines(directions, candidates), torch.ones(6))
    assert float(best_cosines(directions, candidates[:1]).min()) < 0.9
