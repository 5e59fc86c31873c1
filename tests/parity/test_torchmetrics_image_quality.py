"""The Fréchet distance and the balls of precision and recall are those of the
libraries, on the same features.
"""

import pytest
import torch
from sklearn.neighbors import NearestNeighbors
from torch import nn

from genai_tutorial import metrics


class TakeAsTheyAre(nn.Module):
    """Lets torchmetrics see features where it expects images."""

    num_features = 24

    def forward(self, features):
        return features


def features(n, seed, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    # Correlated, but with no direction that hardly varies. There rounding moves the
    # root of an eigenvalue so far that the eighth digit differs between two ways to
    # compute it, and between two processors.
    turned = torch.linalg.qr(
        torch.randn(24, 24, generator=torch.Generator().manual_seed(7))
    ).Q
    mixing = torch.linspace(0.5, 5, 24)[:, None] * turned
    return scale * torch.randn(n, 24, generator=generator) @ mixing + 0.2 * seed


@pytest.mark.parametrize(
    ("n", "m", "scale"), [(300, 300, 1.0), (500, 120, 1.4), (40, 60, 0.7)]
)
def test_the_frechet_distance_is_torchmetrics(n, m, scale):
    # here, because it takes seconds to load
    from torchmetrics.image.fid import FrechetInceptionDistance

    real, generated = features(n, seed=1), features(m, seed=2, scale=scale)
    metric = FrechetInceptionDistance(
        feature=TakeAsTheyAre(), normalize=True
    ).set_dtype(torch.float64)
    metric.update(real.double(), real=True)
    metric.update(generated.double(), real=False)
    assert metrics.frechet_distance(real, generated) == pytest.approx(
        float(metric.compute()), rel=1e-9
    )


@pytest.mark.parametrize("k", [1, 3, 5])
def test_radii_and_shares_are_those_of_scikit_learns_neighbours(k):
    real, generated = (
        features(200, seed=1).double(),
        features(150, seed=2, scale=0.9).double(),
    )
    radii, inside = {}, {}
    for name, centres, points in (
        ("real", real, generated),
        ("generated", generated, real),
    ):
        search = NearestNeighbors(algorithm="ball_tree").fit(centres.numpy())
        radii[name] = torch.from_numpy(search.kneighbors(n_neighbors=k)[0][:, -1])
        others = NearestNeighbors(algorithm="ball_tree").fit(points.numpy())
        covered = [
            set(others.radius_neighbors(centres[i : i + 1].numpy(), r)[1][0])
            for i, r in enumerate(radii[name])
        ]
        inside[name] = len(set().union(*covered)) / len(points)
        torch.testing.assert_close(metrics.ball_radii(centres, k), radii[name])
    measured = metrics.precision_recall(real, generated, k)
    assert (measured.precision, measured.recall) == pytest.approx(
        (inside["real"], inside["generated"])
    )


@pytest.mark.parametrize("seed", [5, 10, 15])
def test_the_calibration_error_is_torchmetrics(seed):
    from torchmetrics.classification import MulticlassCalibrationError

    generator = torch.Generator().manual_seed(seed)
    scores = 2 * torch.randn(400, 10, generator=generator)
    labels = torch.randint(10, (400,), generator=generator)
    confidences, guesses = scores.softmax(dim=1).max(dim=1)
    theirs = MulticlassCalibrationError(num_classes=10, n_bins=10, norm="l1")(
        scores, labels
    )
    assert metrics.expected_calibration_error(
        confidences, guesses == labels
    ) == pytest.approx(float(theirs), abs=1e-6)
