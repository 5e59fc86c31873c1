"""Separation of two groups against scikit-learn: equal AUC and equal leave-one-out
classifications.
"""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.interpretability import (
    centred_cosines,
    leave_one_out_centroid_hits,
    within_between_auc,
)

pytest.importorskip(
    "sklearn", reason='needs scikit-learn: pip install "genai_tutorial[images]"'
)
from sklearn.metrics import roc_auc_score
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.neighbors import NearestCentroid


def groups(
    sizes: list[int], dim: int, distance: float, seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    labels = torch.tensor(
        [group for group, size in enumerate(sizes) for _ in range(size)]
    )
    points = torch.randn(
        len(labels),
        dim,
        generator=torch.Generator().manual_seed(seed),
        dtype=torch.float64,
    )
    return points + distance * labels[:, None], labels


cases = (
    st.lists(st.integers(2, 12), min_size=2, max_size=4),
    st.integers(1, 6),
    st.floats(0, 3),
    st.integers(0, 999),
)


@settings(max_examples=40)
@given(*cases, st.booleans())
def test_auc(sizes, dim, distance, seed, with_ties):
    points, labels = groups(sizes, dim, distance, seed)
    similarities = centred_cosines(points)
    np.testing.assert_allclose(
        similarities.numpy(), cosine_similarity(points - points.mean(dim=0)), atol=1e-9
    )
    if with_ties:
        similarities = similarities.round(decimals=1)
    first, second = np.triu_indices(len(labels), k=1)
    same = (labels[first] == labels[second]).numpy()
    theirs = roc_auc_score(same, similarities.numpy()[first, second])
    assert within_between_auc(similarities, labels) == pytest.approx(theirs, abs=1e-9)


@pytest.mark.slow
@settings(max_examples=40)
@given(*cases)
def test_leave_one_out_nearest_centroid(sizes, dim, distance, seed):
    points, labels = groups(sizes, dim, distance, seed)
    theirs = cross_val_predict(
        NearestCentroid(), points.numpy(), labels.numpy(), cv=LeaveOneOut()
    )
    np.testing.assert_array_equal(
        leave_one_out_centroid_hits(points, labels).numpy(), theirs == labels.numpy()
    )
