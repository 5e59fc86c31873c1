import pytest
import torch

from benchmarks.debiasing import cluster_recovery, hard_debias, pair_direction
from genai_tutorial.interpretability import WordVectors

GENERATOR = torch.Generator().manual_seed(0)
WORDS = ("he", "she", "king", "queen", "nurse", "army", "tree")
VECTORS = WordVectors(
    WORDS,
    torch.nn.functional.normalize(torch.randn(7, 5, generator=GENERATOR), dim=1),
)
PAIRS = [("he", "she"), ("king", "queen")]


def test_pair_direction_finds_the_common_difference():
    """Pairs differ along the first axis; their means lie anywhere."""
    middles = torch.tensor([[0.0, 5.0, 1.0], [0.0, -3.0, 2.0]])
    side = torch.tensor([1.0, 0.0, 0.0])
    rows = [middles[0] + side, middles[0] - side, middles[1] + side, middles[1] - side]
    vectors = WordVectors(("he", "she", "king", "queen"), torch.stack(rows))
    direction = pair_direction(vectors, [*PAIRS, ("unknown", "pair")])
    torch.testing.assert_close(direction, side)


def test_hard_debias_makes_pairs_equally_distant_from_other_words():
    new = hard_debias(VECTORS, PAIRS, keep=["army"])
    for word in ("nurse", "tree"):
        for a, b in PAIRS:
            assert new.similarity(a, word) == pytest.approx(
                new.similarity(b, word), abs=1e-6
            )
    assert VECTORS.similarity("he", "nurse") != pytest.approx(
        VECTORS.similarity("she", "nurse"), abs=1e-3
    )
    assert torch.equal(new["army"], VECTORS["army"])
    torch.testing.assert_close(new.vectors.norm(dim=1), torch.ones(7))


def test_hard_debias_rejects_pairs_without_vectors():
    with pytest.raises(ValueError, match="No pair has vectors"):
        hard_debias(VECTORS, [("uncle", "aunt")])


def test_cluster_recovery_is_one_for_clusters_and_near_half_for_noise():
    labels = torch.arange(200) < 100
    noise = torch.randn(200, 8, generator=GENERATOR)
    assert cluster_recovery(noise + 9.0 * labels[:, None], labels) == 1.0
    assert cluster_recovery(noise, labels) < 0.62
    with pytest.raises(ValueError, match="Both groups need members"):
        cluster_recovery(noise, torch.ones(200, dtype=torch.bool))
