import pytest
import torch

from genai_tutorial.vae import k_means, random_codebook


def some_vectors(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_k_means_finds_separate_groups_and_fills_empty_entries():
    groups = some_vectors(3, 40, 2) * 0.1 + 10 * torch.arange(3)[:, None, None]
    generator = torch.Generator().manual_seed(4)
    vectors = groups.flatten(0, 1)
    codebook = k_means(vectors, random_codebook(vectors, 3, generator), 10, generator)
    expected = groups.mean(dim=1)
    distances = torch.cdist(expected, codebook).amin(dim=1)
    assert distances.max() < 0.1
    with pytest.raises(ValueError, match="as many vectors as codes"):
        random_codebook(some_vectors(2, 3), 4, torch.Generator())


def test_k_means_never_makes_the_squared_error_larger():
    points = some_vectors(200, 3)
    centres, errors = points[:8], []
    for _ in range(6):
        errors.append(torch.cdist(points, centres).amin(dim=1).square().sum())
        centres = k_means(points, centres, steps=1)
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.9 * errors[0]


def test_k_means_leaves_a_centre_without_points_where_it_is():
    points = torch.tensor([[0.0], [2.0]])
    centres = k_means(points, torch.tensor([[1.0], [99.0]]))
    assert centres.flatten().tolist() == [1.0, 99.0]


def test_k_means_restarts_an_entry_without_vectors_if_it_may_choose():
    points = torch.tensor([[0.0], [2.0]])
    generator = torch.Generator().manual_seed(0)
    centres = k_means(points, torch.tensor([[1.0], [99.0]]), generator=generator)
    assert sorted(centres.flatten().tolist()) == [0.0, 2.0]


def test_k_means_checks_its_arguments():
    with pytest.raises(ValueError, match="steps must be"):
        k_means(torch.ones(2, 1), torch.ones(1, 1), -1)
