import pytest
import torch

from genai_tutorial.safety import pronoun_log_odds, sentence_pair_log_odds
from genai_tutorial.tokenization import train_bpe
from genai_tutorial.transformer import DecoderConfig, DecoderLM

TOKENIZER = train_bpe(
    ["The nurse said that he was late and she was the baker."] * 2, 320
)


@pytest.fixture(scope="module")
def model():
    model = DecoderLM(DecoderConfig(TOKENIZER.vocab_size, width=16, layers=1), seed=0)
    with torch.no_grad():
        model.token_embedding.weight.mul_(20)
    return model.eval()


def test_pronoun_log_odds_are_the_difference_of_log_probabilities(model):
    odds = pronoun_log_odds(model, TOKENIZER, ["nurse", "baker"])
    assert odds.shape == (2, 3)
    he, she = (TOKENIZER.encode(f" {word}") for word in ("he", "she"))
    assert len(he) == len(she) == 1
    prompt = TOKENIZER.encode("The baker said that")
    logits = model(torch.tensor([prompt]))[0, -1]
    torch.testing.assert_close(odds[1, 0], logits[he[0]] - logits[she[0]])
    with pytest.raises(ValueError, match="one token; he and she are"):
        pronoun_log_odds(model, train_bpe(["a"] * 2, 258), ["nurse"])
    with pytest.raises(ValueError, match="at least one noun"):
        pronoun_log_odds(model, TOKENIZER, [])


def test_sentence_pair_log_odds_are_the_difference_of_sums(model):
    pair = ("The nurse said that he was late.", "The nurse said that she was late.")
    sums = []
    for sentence in pair:
        ids = torch.tensor([TOKENIZER.encode(sentence)])
        log_probs = model(ids)[0, :-1].log_softmax(dim=-1)
        sums.append(log_probs.gather(1, ids[0, 1:, None]).sum())
    odds = sentence_pair_log_odds(model, TOKENIZER, [pair, (pair[1], pair[1])])
    torch.testing.assert_close(odds[0], sums[0] - sums[1], atol=1e-4, rtol=1e-4)
    assert odds[1] == 0
    with pytest.raises(ValueError, match="at least one pair"):
        sentence_pair_log_odds(model, TOKENIZER, [])
