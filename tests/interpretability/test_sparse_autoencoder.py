"""The sparse autoencoder: its code, its training, and latents that are restarted."""

import pytest
import torch

from genai_tutorial.interpretability import (
    SparseAutoencoder,
    best_cosines,
    draw_superposed,
    random_directions,
    train_sparse_autoencoder,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@torch.no_grad()
def test_code_keeps_the_largest_positive_activations():
    model = SparseAutoencoder(dim=4, latents=4, active=2, seed=0)
    model.readers.copy_(torch.eye(4))
    code = model.encode(torch.tensor([[0.9, -1.2, 0.4, 0.7], [-1.0, -2.0, 0.1, -3.0]]))
    expected = [[0.9, 0.0, 0.0, 0.7], [0.0, 0.0, 0.1, 0.0]]
    torch.testing.assert_close(code, torch.tensor(expected))


@torch.no_grad()
def test_reconstruction_is_the_sum_of_directions_and_the_bias():
    model = SparseAutoencoder(dim=3, latents=5, active=2, seed=0)
    model.bias.copy_(torch.tensor([1.0, 2.0, 3.0]))
    x = torch.randn(6, 3, generator=seeded())
    code = model.encode(x)
    total = sum(code[:, [j]] * model.directions[j] for j in range(5)) + model.bias
    torch.testing.assert_close(model(x), total)


@pytest.mark.parametrize("active", [0, 6])
def test_number_of_active_latents_must_fit(active):
    with pytest.raises(ValueError, match="from 1 to the number of latents, 5"):
        SparseAutoencoder(dim=3, latents=5, active=active, seed=0)


def test_search_does_not_begin_with_directions_of_the_same_seed():
    """Otherwise it would find what it was given."""
    directions = random_directions(32, 16, seeded(0))
    start = SparseAutoencoder(dim=16, latents=32, active=2, seed=0).directions
    assert int((best_cosines(directions, start) > 0.9).sum()) == 0


@pytest.mark.slow
def test_training_finds_known_directions_of_length_one():
    draws = seeded(1000)
    directions = random_directions(12, 8, draws)
    x, _ = draw_superposed(5_000, directions, 0.08, draws)
    model = train_sparse_autoencoder(x, latents=24, active=2, steps=600, seed=0)
    assert not model.directions.requires_grad
    torch.testing.assert_close(model.directions.norm(dim=1), torch.ones(24))
    assert int((best_cosines(directions, model.directions) > 0.9).sum()) >= 10


@torch.no_grad()
def test_restart_points_dead_latents_to_what_is_explained_worst():
    model = SparseAutoencoder(dim=3, latents=4, active=1, seed=0)
    x = torch.tensor([[0.1, 0.0, 0.0], [0.0, 0.0, -90.0]])
    rest = x - model(x)
    model.restart(torch.tensor([3]), x)
    torch.testing.assert_close(model.directions[3], rest[1] / rest[1].norm())
    torch.testing.assert_close(model.readers[3], model.directions[3])
