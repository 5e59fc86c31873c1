"""Green lists raise the share of their tokens, and the detector needs only the key."""

import math
from itertools import pairwise, product

import pytest
import torch

from genai_tutorial.generation import (
    GreenListWatermark,
    detection_z_score,
    generate,
    tokens_needed,
    tournament,
)
from genai_tutorial.transformer import DecoderConfig, DecoderLM

VOCAB = 200


def written(processor, seed=0, length=60, texts=4):
    """Return texts by an untrained model, to which all tokens are equally likely."""
    model = DecoderLM(DecoderConfig.fast(VOCAB, 128, width=16, layers=1, heads=1))
    ids = generate(
        model,
        torch.arange(texts)[:, None],
        length,
        processor=processor,
        generator=torch.Generator().manual_seed(seed),
    )
    return ids[:, 1:]


@pytest.mark.parametrize(("z", "share"), [(4, 0.5), (2, 0.3), (6, 0.9)])
def test_tokens_needed_reach_the_z_score_and_no_more(z, share):
    count = tokens_needed(z, share, 0.25)

    def reached(tokens):
        variance = tokens * 0.25 * 0.75
        return (share - 0.25) * tokens / math.sqrt(variance)

    assert reached(count) >= z - 1e-9 > reached(count - 1)


def test_green_list_has_the_right_size_and_depends_on_key_and_token():
    watermark = GreenListWatermark(VOCAB, gamma=0.3)
    first = watermark.green_list(5)
    assert len(first) == len(set(first.tolist())) == 60
    assert torch.equal(first, watermark.green_list(5))
    assert not torch.equal(first, watermark.green_list(6))
    other_key = GreenListWatermark(VOCAB, gamma=0.3, key=7)
    assert not torch.equal(first, other_key.green_list(5))


def test_marked_text_is_found_with_the_key_only():
    watermark = GreenListWatermark(VOCAB, delta=3.0)
    other_key = GreenListWatermark(VOCAB, delta=3.0, key=1234567)
    for text in written(watermark):
        assert watermark.detect(text).z_score > 5
        assert other_key.detect(text).z_score < 3
    for text in written(None):
        assert watermark.detect(text).z_score < 3


def test_share_of_green_tokens_follows_from_delta():
    # With equal logits, green tokens get gamma e^delta / (gamma e^delta + 1 - gamma).
    watermark = GreenListWatermark(VOCAB, delta=1.0)
    green = watermark.is_green(written(watermark, length=100, texts=20)).double()
    expected = 0.25 * math.e / (0.25 * math.e + 0.75)
    assert green.mean().item() == pytest.approx(expected, abs=0.04)


def test_is_green_of_many_texts_equals_one_by_one():
    watermark = GreenListWatermark(VOCAB)
    texts = torch.randint(VOCAB, (3, 9), generator=torch.Generator().manual_seed(0))
    for text, green in zip(texts, watermark.is_green(texts), strict=True):
        expected = [
            int(token) in watermark.green_list(int(previous)).tolist()
            for previous, token in pairwise(text)
        ]
        assert green.tolist() == expected == watermark.is_green(text).tolist()


def test_repeated_pair_counts_once():
    watermark = GreenListWatermark(VOCAB)
    token = int(watermark.green_list(3)[0])
    text = torch.tensor([3, token] * 10)
    found = watermark.detect(text)
    assert found.scored == 2
    assert found.hits in (1, 2)


def test_watermark_leaves_the_logits_it_was_given():
    logits = torch.zeros(1, VOCAB)
    marked = GreenListWatermark(VOCAB)(logits, torch.tensor([[3]]))
    assert not logits.any()
    assert marked.sum() == 2.0 * 50


def test_watermark_rejects_wrong_arguments():
    with pytest.raises(ValueError, match="gamma must be between 0 and 1, got 1"):
        GreenListWatermark(VOCAB, gamma=1.0)
    with pytest.raises(ValueError, match="never reaches z = 4"):
        tokens_needed(4, 0.25, 0.25)
    with pytest.raises(ValueError, match="expected_share must be"):
        detection_z_score(1, 2, 0.0)


def test_tournament_of_two_layers_equals_playing_it():
    probabilities = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    bits = torch.tensor([[1, 0], [0, 1], [1, 1]])

    def winner(a, b, layer):
        """Return the probability with which each token wins, given two players."""
        if bits[a, layer] == bits[b, layer]:
            return {a: 0.5, b: 0.5} if a != b else {a: 1.0}
        return {a if bits[a, layer] else b: 1.0}

    expected = torch.zeros(3, dtype=torch.float64)
    for players in product(range(3), repeat=4):
        weight = probabilities[list(players)].prod()
        semifinals = winner(*players[:2], 0), winner(*players[2:], 0)
        for (a, p), (b, q) in product(*(game.items() for game in semifinals)):
            for champion, r in winner(a, b, 1).items():
                expected[champion] += weight * p * q * r
    torch.testing.assert_close(tournament(probabilities, bits), expected)


def test_tournament_keeps_a_distribution():
    generator = torch.Generator().manual_seed(0)
    probabilities = torch.rand(3, 20, generator=generator).softmax(dim=-1)
    bits = torch.randint(2, (3, 20, 30), generator=generator)
    won = tournament(probabilities, bits)
    torch.testing.assert_close(won.sum(dim=-1), torch.ones(3))
    assert (won >= -1e-6).all()
