"""Measures of images by hand, against other libraries, and for sets of known shape."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from genai_tutorial.metrics import (
    FeatureGaussian,
    ball_radii,
    frechet_distance,
    gaussian_frechet_distance,
    image_quality,
    in_balls,
    nearest_neighbours,
    precision_recall,
    psnr,
)


def test_psnr_agrees_with_torchmetrics():
    # here, because it takes seconds to load
    from torchmetrics.functional.image import peak_signal_noise_ratio

    generator = torch.Generator().manual_seed(0)
    images, others = torch.rand(2, 4, 3, 8, 8, generator=generator)
    for image, other, ours in zip(images, others, psnr(images, others), strict=True):
        assert ours.item() == pytest.approx(
            peak_signal_noise_ratio(other, image, data_range=1.0).item(), rel=1e-5
        )


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
    assert nearest_neighbours(references, references).distances.dtype is torch.float32
    nearly = references.double()
    nearly[:, 0, 0] += 1e-6
    found = nearest_neighbours(nearly, references.double())
    assert found.indices.flatten().tolist() == list(range(200))
    np.testing.assert_allclose(found.distances.numpy(), 1e-6, rtol=1e-6)


@pytest.mark.parametrize("k", [0, 4])
def test_nearest_neighbours_need_k_references(k):
    with pytest.raises(ValueError, match=f"from 1 to .* references, 3, got {k}"):
        nearest_neighbours(images(2, 0), images(3, 1), k)


def test_nearest_neighbours_different_shapes_raise():
    # The shape checker of the tests finds it first (a TypeError); without it, the
    # function's own sentence does.
    with pytest.raises(
        (ValueError, TypeError),
        match=r"different shapes: \(5, 5\) and \(4, 4\)|Float\[Tensor",
    ):
        nearest_neighbours(images(2, 0), torch.zeros(3, 4, 4))


def normal(n, dimensions, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, dimensions, generator=generator, dtype=torch.float64)


def test_feature_gaussian_agrees_with_numpy():
    features = normal(50, 6, seed=0) * torch.arange(1, 7) + 3
    fitted = FeatureGaussian.fit(features)
    torch.testing.assert_close(fitted.mean, features.mean(dim=0))
    torch.testing.assert_close(fitted.covariance, torch.cov(features.T))


# fewer images than features leave most eigenvalues at zero
@pytest.mark.parametrize("n", [2, 10, 200])
def test_frechet_distance_of_a_set_from_itself_is_zero(n):
    features = normal(n, 30, seed=n).float() * 10
    # roots of eigenvalues that rounding leaves
    assert 0 <= frechet_distance(features, features.flip(0)) < 1e-5


@pytest.mark.parametrize(
    ("n", "m", "dimensions"), [(1000, 1000, 64), (500, 2000, 16), (300, 300, 8)]
)
def test_frechet_distance_bias_of_few_images(n, m, dimensions):
    """Few images give too large a distance, by about the docstring's formula."""
    distances = [
        frechet_distance(normal(n, dimensions, seed), normal(m, dimensions, seed + 50))
        for seed in range(12)
    ]
    told = (1 / n + 1 / m) * (dimensions + dimensions * (dimensions + 1) / 4)
    assert sum(distances) / len(distances) == pytest.approx(told, rel=0.1)


def test_frechet_distance_ignores_higher_moments():
    generator = torch.Generator().manual_seed(0)
    signs = torch.randint(0, 2, (4000, 3), generator=generator).double() * 2 - 1
    assert frechet_distance(signs, normal(4000, 3, seed=1)) < 0.01


def test_frechet_distance_invalid_features_raise():
    good = normal(5, 3, seed=0)
    with pytest.raises(ValueError, match=r"at least 2 images, got \(1, 3\)"):
        frechet_distance(good, good[:1])
    with pytest.raises(ValueError, match="must all be finite"):
        frechet_distance(good, good / 0)
    with pytest.raises(ValueError, match="Both need the same features, got 3 and 2"):
        gaussian_frechet_distance(
            FeatureGaussian.fit(good), FeatureGaussian.fit(good[:, :2])
        )


def cloud(n, dimensions, seed):
    return torch.randn(n, dimensions, generator=torch.Generator().manual_seed(seed))


def two_clusters(n, seed, shares=(0.5, 0.5)):
    first = round(n * shares[0])
    centres = torch.tensor([[-5.0] * 4] * first + [[5.0] * 4] * (n - first))
    return centres + cloud(n, 4, seed)


@pytest.mark.slow
def test_precision_recall_of_more_points_than_one_chunk():
    real, generated = cloud(1100, 4, seed=0), cloud(700, 4, seed=1)
    distances = (
        (generated.double()[:, None] - real.double()[None]).square().sum(-1).sqrt()
    )
    among_real = (real.double()[:, None] - real.double()[None]).square().sum(-1).sqrt()
    radii = among_real.sort(dim=1).values[:, 3]
    torch.testing.assert_close(ball_radii(real.double(), 3), radii)
    assert torch.equal(
        in_balls(generated.double(), real.double(), radii),
        (distances <= radii).any(dim=1),
    )


@pytest.mark.parametrize("seed", range(2))
def test_recall_falls_if_a_mode_is_dropped(seed):
    real = two_clusters(400, seed)
    both = precision_recall(real, two_clusters(400, seed + 50))
    one = precision_recall(real, two_clusters(400, seed + 50, shares=(1.0, 0.0)))
    assert both.recall > 0.8
    assert one.recall == pytest.approx(both.recall / 2, abs=0.05)
    assert one.precision == pytest.approx(both.precision, abs=0.06)


@pytest.mark.parametrize("seed", range(5))
def test_precision_falls_with_noise(seed):
    real, generated = cloud(400, 8, seed), cloud(400, 8, seed + 50)
    values = [
        precision_recall(real, generated + noise * cloud(400, 8, seed + 99)).precision
        for noise in (0, 0.5, 2)
    ]
    assert values[0] > values[1] + 0.03
    assert values[1] > values[2] + 0.3


def test_precision_recall_of_one_repeated_image():
    real = cloud(300, 4, seed=0)
    measured = precision_recall(real, real[:1].expand(300, 4))
    assert (measured.precision, measured.recall) == (1.0, 1 / 300)
    measured = precision_recall(real, real.flip(0))
    assert (measured.precision, measured.recall) == (1.0, 1.0)


def test_precision_recall_invalid_features_raise():
    good = cloud(5, 3, seed=0)
    for k in (0, 5):
        with pytest.raises(ValueError, match=rf"the number of images, got k = {k}"):
            precision_recall(good, good, k)
    with pytest.raises(ValueError, match=r"generated features of shape \(3, 3\)"):
        precision_recall(good, good[:3])
    with pytest.raises(ValueError, match="features must all be finite"):
        precision_recall(good, good / 0)
