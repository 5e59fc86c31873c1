import math

import pytest
import torch

from genai_tutorial.metrics import ball_radii, in_balls, precision_recall


def normal(n, dimensions, seed):
    return torch.randn(n, dimensions, generator=torch.Generator().manual_seed(seed))


def two_clusters(n, seed, shares=(0.5, 0.5)):
    first = round(n * shares[0])
    centres = torch.tensor([[-5.0] * 4] * first + [[5.0] * 4] * (n - first))
    return centres + normal(n, 4, seed)


def slowly(real, generated, k):
    """The definition, point by point."""

    def radius(points, index):
        return sorted(
            math.dist(points[index], other)
            for i, other in enumerate(points)
            if i != index
        )[k - 1]

    def share(points, centres):
        radii = [radius(centres, index) for index in range(len(centres))]
        hits = [
            any(math.dist(p, c) <= r for c, r in zip(centres, radii, strict=True))
            for p in points
        ]
        return sum(hits) / len(hits)

    real, generated = real.double().tolist(), generated.double().tolist()
    return share(generated, real), share(real, generated)


@pytest.mark.parametrize("k", [1, 3, 7])
@pytest.mark.parametrize("seed", range(3))
def test_precision_recall_agrees_with_the_definition(k, seed):
    real, generated = normal(40, 5, seed), 1.3 * normal(25, 5, seed + 10) + 1.2
    measured = precision_recall(real, generated, k)
    assert (measured.precision, measured.recall) == slowly(real, generated, k)
    assert 0 < measured.precision < 1
    assert measured.recall > 0


def test_precision_recall_of_more_points_than_one_chunk():
    real, generated = normal(1100, 4, seed=0), normal(700, 4, seed=1)
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


@pytest.mark.parametrize("seed", range(5))
def test_recall_falls_if_a_mode_is_dropped(seed):
    real = two_clusters(400, seed)
    both = precision_recall(real, two_clusters(400, seed + 50))
    one = precision_recall(real, two_clusters(400, seed + 50, shares=(1.0, 0.0)))
    assert both.recall > 0.8
    assert one.recall == pytest.approx(both.recall / 2, abs=0.05)
    assert one.precision == pytest.approx(both.precision, abs=0.06)


@pytest.mark.parametrize("seed", range(5))
def test_precision_falls_with_noise(seed):
    real, generated = normal(400, 8, seed), normal(400, 8, seed + 50)
    values = [
        precision_recall(real, generated + noise * normal(400, 8, seed + 99)).precision
        for noise in (0, 0.5, 2)
    ]
    assert values[0] > values[1] + 0.03
    assert values[1] > values[2] + 0.3


def test_precision_recall_of_one_repeated_image():
    real = normal(300, 4, seed=0)
    measured = precision_recall(real, real[:1].expand(300, 4))
    assert (measured.precision, measured.recall) == (1.0, 1 / 300)


def test_precision_recall_of_equal_sets_is_one():
    real = normal(50, 4, seed=0)
    measured = precision_recall(real, real.flip(0))
    assert (measured.precision, measured.recall) == (1.0, 1.0)


def test_precision_recall_invalid_features_raise():
    good = normal(5, 3, seed=0)
    for k in (0, 5):
        with pytest.raises(
            ValueError,
            match=rf"k must be at least 1 and below the number of images, got k = {k}",
        ):
            precision_recall(good, good, k)
    with pytest.raises(ValueError, match=r"generated features of shape \(3, 3\)"):
        precision_recall(good, good[:3])
    with pytest.raises(ValueError, match="generated features must all be finite"):
        precision_recall(good, good / 0)
