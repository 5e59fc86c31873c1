"""Nearest neighbours against scikit-learn."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from genai_tutorial.metrics import image_quality, nearest_neighbours


def images(count: int, seed: int, size: int = 5) -> torch.Tensor:
    return torch.rand(count, size, size, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=30)
@given(st.integers(1, 30), st.integers(1, 40), st.integers(0, 1000), st.data())
def test_nearest_neighbours_agree_with_scikit_learn_in_any_chunks(
    queries, references, seed, draw
):
    k = draw.draw(st.integers(1, references))
    a, b = images(queries, seed), images(references, seed + 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image_quality, "QUERIES_AT_ONCE", draw.draw(st.integers(1, 40)))
        found = nearest_neighbours(a, b, k=k)
    search = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(
        b.flatten(1).double().numpy()
    )
    distances, indices = search.kneighbors(a.flatten(1).double().numpy())
    np.testing.assert_array_equal(found.indices.numpy(), indices)
    np.testing.assert_allclose(found.distances.numpy(), distances, rtol=1e-6)


def test_nearest_neighbours_measure_tiny_distances():
    """A copy is at distance 0, and a difference of 1e-6 is measured."""
    # Far from the origin, where ‖a‖² + ‖b‖² − 2ab in float32 is off by more than the
    # distance itself.
    references = images(200, seed=0) + 3000
    assert (nearest_neighbours(references, references).distances == 0).all()
    nearly = references.double()
    nearly[:, 0, 0] += 1e-6
    found = nearest_neighbours(nearly, references.double())
    assert found.indices.flatten().tolist() == list(range(200))
    np.testing.assert_allclose(found.distances.numpy(), 1e-6, rtol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_nearest_neighbours_keep_the_dtype_of_the_queries(dtype):
    assert (
        nearest_neighbours(
            images(2, 0).to(dtype), images(3, 1).to(dtype)
        ).distances.dtype
        is dtype
    )


@pytest.mark.parametrize(
    ("shape", "settings", "message"),
    [
        ((3, 5, 5), {"k": 4}, "k must be from 1 to the number of references, 3, got 4"),
        ((3, 5, 5), {"k": 0}, "k must be from 1"),
    ],
)
def test_nearest_neighbours_invalid_arguments_raise(shape, settings, message):
    with pytest.raises(ValueError, match=message):
        nearest_neighbours(images(2, 0), torch.zeros(shape), **settings)


def test_nearest_neighbours_different_shapes_raise():
    # The shape checker of the tests finds it first (a TypeError); without it, the
    # function's own sentence does.
    with pytest.raises(
        (ValueError, TypeError),
        match=r"different shapes: \(5, 5\) and \(4, 4\)|Float\[Tensor",
    ):
        nearest_neighbours(images(2, 0), torch.zeros(3, 4, 4))
