import pytest
import torch

from genai_tutorial.retrieval import reciprocal_rank_fusion, weighted_fusion


def test_reciprocal_rank_fusion_by_hand():
    fused = reciprocal_rank_fusion([[1, 2], [2, 3], [2]])
    assert list(fused) == [2, 1, 3]
    assert fused[2] == pytest.approx(1 / 62 + 2 / 61)


def test_reciprocal_rank_fusion_keeps_first_found_among_equals():
    assert list(reciprocal_rank_fusion([["b"], ["a"]])) == ["b", "a"]
    assert reciprocal_rank_fusion([]) == {}


def test_reciprocal_rank_fusion_rejects_duplicates():
    with pytest.raises(ValueError, match="same passage twice"):
        reciprocal_rank_fusion([[1, 1]])


def test_weighted_fusion_ignores_scales_and_constant_rows():
    scores = torch.tensor([[1.0, 3.0, 2.0], [7.0, 7.0, 7.0]])
    fused = weighted_fusion(scores, [1, 1])
    torch.testing.assert_close(fused, torch.tensor([0.0, 0.5, 0.25]))
    torch.testing.assert_close(fused, weighted_fusion(scores * 10 - 4, [1, 1]))


@pytest.mark.parametrize("weights", [[1], [1, -1], [0, 0]])
def test_weighted_fusion_rejects_impossible_weights(weights):
    with pytest.raises(ValueError, match="one weight from 0 up for each of 2"):
        weighted_fusion(torch.ones(2, 3), weights)
