import itertools

import pytest
import torch

from genai_tutorial.metrics import (
    FeatureGaussian,
    frechet_distance,
    gaussian_frechet_distance,
)


def normal(n, dimensions, seed):
    return torch.randn(
        n,
        dimensions,
        generator=torch.Generator().manual_seed(seed),
        dtype=torch.float64,
    )


def random_gaussian(dimensions, seed):
    mixing = normal(dimensions, dimensions, seed)
    return FeatureGaussian(normal(1, dimensions, seed + 100)[0], mixing @ mixing.T)


def test_feature_gaussian_agrees_with_numpy():
    features = normal(50, 6, seed=0) * torch.arange(1, 7) + 3
    fitted = FeatureGaussian.fit(features)
    torch.testing.assert_close(fitted.mean, features.mean(dim=0))
    torch.testing.assert_close(fitted.covariance, torch.cov(features.T))


@pytest.mark.parametrize("seed", range(3))
def test_frechet_distance_of_independent_features_has_a_closed_form(seed):
    (mean, other_mean), (deviation, other) = (
        normal(2, 5, seed),
        normal(2, 5, seed + 10).abs(),
    )
    distance = gaussian_frechet_distance(
        FeatureGaussian(mean, deviation.square().diag()),
        FeatureGaussian(other_mean, other.square().diag()),
    )
    expected = (mean - other_mean).square().sum() + (deviation - other).square().sum()
    assert distance == pytest.approx(float(expected), rel=1e-10)


def test_frechet_distance_is_invariant_under_rotation():
    first, second = random_gaussian(6, seed=1), random_gaussian(6, seed=2)
    turn = torch.linalg.qr(normal(6, 6, seed=3)).Q
    turned = [
        FeatureGaussian(turn @ one.mean, turn @ one.covariance @ turn.T)
        for one in (first, second)
    ]
    assert gaussian_frechet_distance(*turned) == pytest.approx(
        gaussian_frechet_distance(first, second), rel=1e-10
    )


def test_frechet_distance_root_is_a_metric():
    gaussians = [random_gaussian(4, seed) for seed in range(5)]
    for a, b, c in itertools.permutations(gaussians, 3):
        ab, bc, ac = (
            gaussian_frechet_distance(*pair) for pair in ((a, b), (b, c), (a, c))
        )
        assert ab > 0
        assert ab == pytest.approx(gaussian_frechet_distance(b, a), rel=1e-9)
        assert ac**0.5 <= ab**0.5 + bc**0.5


@pytest.mark.parametrize(
    "n", [2, 10, 200]
)  # fewer images than features leave most eigenvalues at zero
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


def test_frechet_distance_grows_with_shift_and_scale():
    features = normal(400, 8, seed=0)
    baseline = frechet_distance(features, normal(400, 8, seed=1))
    assert frechet_distance(features, normal(400, 8, seed=1) + 0.5) > baseline + 1.5
    assert frechet_distance(features, normal(400, 8, seed=1) * 1.5) > baseline + 1.5


def test_frechet_distance_ignores_higher_moments():
    generator = torch.Generator().manual_seed(0)
    signs = (
        torch.randint(0, 2, (4000, 3), generator=generator) * 2 - 1
    ).double()  # two values, never near zero
    assert frechet_distance(signs, normal(4000, 3, seed=1)) < 0.01


def test_frechet_distance_invalid_features_raise():
    good = normal(5, 3, seed=0)
    with pytest.raises(
        ValueError, match=r"a row for each of at least 2 images, got \(1, 3\)"
    ):
        frechet_distance(good, good[:1])
    with pytest.raises(ValueError, match="must all be finite"):
        frechet_distance(good, good.clone().fill_(float("nan")))
    with pytest.raises(ValueError, match="Both need the same features, got 3 and 2"):
        gaussian_frechet_distance(
            FeatureGaussian.fit(good), FeatureGaussian.fit(good[:, :2])
        )
