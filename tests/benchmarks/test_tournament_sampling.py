"""The bits of a tournament are fair, and its text is found with the key only."""

import pytest
import torch

from benchmarks.tournament_sampling import TournamentSampling
from genai_tutorial.generation import tournament
from tests.generation.test_watermark import VOCAB, written

KEY = b"a secret"


@pytest.mark.slow
def test_tournament_changes_nothing_on_average_over_keys():
    probabilities = torch.tensor([0.6, 0.3, 0.1])
    won = torch.stack(
        [
            tournament(
                probabilities,
                TournamentSampling(key.to_bytes(4, "big")).g_values([1, 2], [7, 8, 9]),
            )
            for key in range(1, 4001)
        ]
    )
    torch.testing.assert_close(won.mean(dim=0), probabilities, atol=0.02, rtol=0)
    assert won.std() > 0.2  # for any one key it changes much


def test_bits_are_fair_and_independent_between_layers_and_tokens():
    bits = TournamentSampling(KEY, layers=30).g_values([5, 6, 7, 8], range(4000))
    means = bits.double().mean(dim=0)
    assert (means - 0.5).abs().max() < 0.04
    correlations = torch.corrcoef(bits.double().T) - torch.eye(30)
    assert correlations.abs().max() < 0.08


def test_bits_depend_on_key_context_and_token():
    sampling = TournamentSampling(KEY)
    first = sampling.g_values([1, 2], [3, 4])
    assert torch.equal(first, sampling.g_values([1, 2], [3, 4]))
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first, sampling.g_values([2, 1], [3, 4]))
    assert not torch.equal(first, TournamentSampling(b"x").g_values([1, 2], [3, 4]))
    assert torch.equal(first[1:], sampling.g_values([1, 2], [4]))


def test_tournament_text_is_found_with_the_key_only():
    sampling, other = TournamentSampling(KEY), TournamentSampling(b"other")
    for text in written(sampling):
        assert sampling.detect(text).z_score > 8
        assert abs(other.detect(text).z_score) < 4
    for text in written(None):
        assert abs(sampling.detect(text).z_score) < 4


def test_repeated_context_is_neither_marked_nor_scored_twice():
    sampling = TournamentSampling(KEY)
    logits = torch.randn(1, VOCAB, generator=torch.Generator().manual_seed(0))
    plain = logits.log_softmax(dim=-1)
    fresh = sampling(logits, torch.tensor([[1, 2, 3, 4]]))
    repeated = sampling(logits, torch.tensor([[1, 2, 3, 4, 9, 1, 2, 3, 4]]))
    short = sampling(logits, torch.tensor([[3]]))
    torch.testing.assert_close(repeated, plain)
    torch.testing.assert_close(short, plain)
    assert (fresh - plain).abs().max() > 1
    assert sampling.detect(torch.tensor([1, 2, 3, 4, 9] * 3)).scored == 5 * 20


def test_top_k_is_applied_before_the_tournament():
    logits = torch.randn(1, VOCAB, generator=torch.Generator().manual_seed(0))
    won = TournamentSampling(KEY, top_k=5)(logits, torch.tensor([[1, 2, 3, 4]]))
    kept = logits[0].topk(5).indices.tolist()
    assert set(won[0].isfinite().nonzero()[:, 0].tolist()) <= set(kept)


def test_tournament_sampling_rejects_wrong_arguments():
    with pytest.raises(ValueError, match="layers must be from 1 to 64, got 65"):
        TournamentSampling(KEY, layers=65)
    with pytest.raises(ValueError, match="an empty key is no secret"):
        TournamentSampling(b"")
