import pytest
import torch

from genai_tutorial.retrieval import (
    SentenceEncoder,
    SentenceEncoderConfig,
    SentenceVectors,
)
from genai_tutorial.tokenization import WordPieceTokenizer

VOCABULARY = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "lima", "peru", "kenya", "is", "in")
CONFIG = SentenceEncoderConfig(
    vocab_size=9, width=8, layers=2, heads=2, feed_forward_width=16, context_length=12
)


@pytest.fixture
def small():
    torch.manual_seed(0)
    return SentenceVectors(
        SentenceEncoder(CONFIG), WordPieceTokenizer(VOCABULARY), max_length=12
    )


def test_encoder_ignores_padding(small):
    alone = small.token_states(["lima is in peru"])[0]
    padded = small.token_states(["lima is in peru", "peru in lima is in peru is"])[0]
    torch.testing.assert_close(alone, padded)


def test_encoder_reads_to_the_right(small):
    first, second = small.token_states(["lima is in peru", "lima is in kenya"])
    assert not torch.allclose(first[1], second[1], atol=1e-3)


def test_encode_gives_mean_of_tokens_at_length_one(small):
    texts = ["lima is in peru", "kenya", "peru is in lima"]
    vectors = small.encode(texts, batch_size=2)
    for text, vector in zip(texts, vectors, strict=True):
        mean = small.token_states([text])[0].mean(dim=0)
        torch.testing.assert_close(vector, mean / mean.norm())
    assert small.encode([]).shape == (0, 8)


def test_encode_keeps_order_of_texts(small):
    texts = ["kenya is in peru", "lima", "peru in"]
    forwards, backwards = small.encode(texts), small.encode(texts[::-1])
    torch.testing.assert_close(forwards, backwards.flip(0))


def test_encoder_cuts_long_texts_off(small):
    short, long = small.encode(["lima " * 10]), small.encode(["lima " * 30])
    torch.testing.assert_close(short, long)


def test_encoder_rejects_long_rows(small):
    ids = torch.full((1, 13), 4)
    with pytest.raises(ValueError, match="at most 12 tokens, got 13"):
        small.encoder(ids, torch.tensor([13]))


def test_token_states_need_a_text(small):
    with pytest.raises(ValueError, match="at least one text"):
        small.token_states([])
