import pytest
import torch

from benchmarks.safety_measures import (
    ai_comparisons,
    direction_added,
    sentence_pair_log_odds,
)
from genai_tutorial.alignment import PreferencePair
from genai_tutorial.safety import Principle
from genai_tutorial.tokenization import train_bpe
from genai_tutorial.transformer import DecoderConfig, DecoderLM

PAIR = ("The nurse said that he was late.", "The nurse said that she was late.")
TOKENIZER = train_bpe([*PAIR] * 2, 320)


@pytest.fixture(scope="module")
def model():
    model = DecoderLM(DecoderConfig(TOKENIZER.vocab_size, width=16, layers=2), seed=0)
    with torch.no_grad():
        model.token_embedding.weight.mul_(20)
    return model.eval()


@torch.no_grad()
@pytest.mark.parametrize("state", [0, 1, 2])
def test_direction_added_changes_one_state_at_all_positions(model, state):
    ids = torch.tensor([TOKENIZER.encode(PAIR[0])])
    direction = torch.randn(16, generator=torch.Generator().manual_seed(1))
    before = model.hidden_states(ids)
    with direction_added(model, direction, state):
        after = model.hidden_states(ids)
    assert torch.equal(after[:state], before[:state])
    moved = after[state] - before[state]
    torch.testing.assert_close(moved, direction.expand_as(moved), atol=1e-4, rtol=1e-4)
    assert torch.equal(model.hidden_states(ids), before)


def test_sentence_pair_log_odds_are_the_difference_of_sums(model):
    sums = []
    for sentence in PAIR:
        ids = torch.tensor([TOKENIZER.encode(sentence)])
        log_probs = model(ids)[0, :-1].log_softmax(dim=-1)
        sums.append(log_probs.gather(1, ids[0, 1:, None]).sum())
    odds = sentence_pair_log_odds(model, TOKENIZER, [PAIR, (PAIR[1], PAIR[1])])
    torch.testing.assert_close(odds[0], sums[0] - sums[1], atol=1e-4, rtol=1e-4)
    assert odds[1] == 0


def test_ai_comparisons_prefer_declining_only_for_flagged_prompts():
    words = ("cannot", "answer")

    def encode(texts):
        """Count words: a stand-in for a sentence encoder."""
        counts = [[float(text.count(word)) for word in words] for text in texts]
        return torch.nn.functional.normalize(torch.tensor(counts), dim=1)

    declines = Principle(*words)
    answers = [("answer", "cannot"), ("cannot", "answer"), ("answer", "answer")]
    pairs = ai_comparisons(
        encode, declines, ["p", "q", "r"], answers, [True, False, True]
    )
    assert pairs == [
        PreferencePair("p", "cannot", "answer"),
        PreferencePair("q", "answer", "cannot"),
    ]
    assert ai_comparisons(encode, declines, ["p"], answers[:1], [None]) == []
    assert ai_comparisons(encode, declines, [], [], []) == []
