import math

import pytest
import torch
from torch import nn

from genai_tutorial.generation import draw, generate, next_token_probabilities
from genai_tutorial.transformer import DecoderConfig, DecoderLM


class Counter(nn.Module):
    """Says that the next token is the last one plus one, modulo the vocabulary, and records what it was shown."""

    def __init__(self, vocab_size=10, context_length=4):
        super().__init__()
        self.config = DecoderConfig(vocab_size, context_length)
        self.seen = []

    def forward(self, ids):
        self.seen.append(ids)
        return 50.0 * nn.functional.one_hot((ids + 1) % self.config.vocab_size, self.config.vocab_size).float()


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_it_appends_what_the_model_says():
    assert generate(Counter(), torch.tensor([[3], [8]]), 4).tolist() == [[3, 4, 5, 6, 7], [8, 9, 0, 1, 2]]


def test_the_window_slides():
    model = Counter(context_length=4)
    generate(model, torch.tensor([[0, 1]]), 5)
    assert [ids.tolist()[0] for ids in model.seen] == [[0, 1], [0, 1, 2], [0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5]]


def test_a_long_prompt_is_kept_but_only_its_end_is_read():
    model = Counter(context_length=2)
    assert generate(model, torch.tensor([[5, 6, 7, 8]]), 1).tolist() == [[5, 6, 7, 8, 9]]
    assert model.seen[0].tolist() == [[7, 8]]


def test_a_finished_row_repeats_its_stop_token_until_all_are_finished():
    ids = generate(Counter(), torch.tensor([[3], [5], [1]]), 20, stop_tokens=(4, 8))
    assert ids.tolist() == [[3, 4, 4, 4], [5, 6, 7, 8], [1, 2, 3, 4]]


def test_a_stop_token_in_the_prompt_does_not_stop():
    assert generate(Counter(), torch.tensor([[4]]), 2, stop_tokens=[4]).tolist() == [[4, 5, 6]]


def test_nothing_to_add_returns_the_prompt():
    prompt = torch.tensor([[1, 2]])
    assert torch.equal(generate(Counter(), prompt, 0), prompt)


def test_greedy_follows_the_best_token_and_needs_no_chance():
    model = DecoderLM(DecoderConfig.gpt2(11, 8, 8, 1, 2), seed=1)
    ids = generate(model, torch.tensor([[1, 2]]), 6, temperature=0)
    for end in range(2, 8):
        assert ids[0, end] == model(ids[:, :end])[0, -1].argmax()
    assert torch.equal(ids, generate(model, torch.tensor([[1, 2]]), 6, temperature=0, generator=seeded(9)))


def test_the_same_seed_writes_the_same_text_and_another_another():
    model = DecoderLM(DecoderConfig.gpt2(11, 8, 8, 1, 2))
    prompt = torch.tensor([[1]])
    first = generate(model, prompt, 30, generator=seeded(1))
    assert torch.equal(first, generate(model, prompt, 30, generator=seeded(1)))
    assert not torch.equal(first, generate(model, prompt, 30, generator=seeded(2)))


def test_generating_leaves_no_gradients_and_training_can_go_on():
    model = DecoderLM(DecoderConfig.gpt2(11, 8, 8, 1, 2))
    ids = generate(model, torch.tensor([[1]]), 3, generator=seeded())
    model(ids).sum().backward()
    assert not ids.requires_grad


def test_draws_are_as_frequent_as_their_probabilities_say():
    # Pearson's chi-squared of n draws from the exact probabilities has a known distribution: with 5 tokens left,
    # 4 degrees of freedom, it is above 23.5 once in ten thousand seeds. A filter too many or too few is far above.
    logits = torch.tensor([2.0, 1.5, 1.0, 0.5, 0.0, -0.5, -1.0])
    exact = next_token_probabilities(logits, temperature=1.3, top_k=6, top_p=0.93)
    assert int((exact > 0).sum()) == 5
    draws = 20_000
    counts = draw(exact.expand(draws, -1), seeded(0)).bincount(minlength=7)
    assert (counts[exact == 0] == 0).all()
    expected = draws * exact[exact > 0]
    assert ((counts[exact > 0] - expected).square() / expected).sum() < 23.5


def test_generated_pairs_are_as_frequent_as_the_chain_rule_says():
    # The whole loop: p(a, b) = p(a) p(b | a) for 9 pairs, each count within five standard deviations.
    config = DecoderConfig(vocab_size=3, context_length=4, width=8, layers=1, heads=2, zero_outputs=False)
    model, draws = DecoderLM(config, seed=5), 20_000
    ids = generate(model, torch.zeros(draws, 1, dtype=torch.long), 2, generator=seeded(0))
    for a in range(3):
        for b in range(3):
            logits = model(torch.tensor([[0, a]]))[0]
            p = (logits[0].softmax(-1)[a] * logits[1].softmax(-1)[b]).item()
            count = ((ids[:, 1] == a) & (ids[:, 2] == b)).sum().item()
            assert abs(count - draws * p) < 5 * math.sqrt(draws * p * (1 - p))


@pytest.mark.parametrize(
    ("prompt", "new", "message"),
    [
        (torch.zeros(1, 0, dtype=torch.long), 1, "at least one row of at least one token"),
        (torch.zeros(0, 1, dtype=torch.long), 1, "at least one row"),
        (torch.zeros(1, 1, dtype=torch.long), -1, "max_new_tokens must be 0 or more, got -1"),
    ],
)
def test_wrong_prompts_are_refused(prompt, new, message):
    with pytest.raises(ValueError, match=message):
        generate(Counter(), prompt, new)


def test_wrong_sampling_is_refused():
    with pytest.raises(ValueError, match="top_p"):
        generate(Counter(), torch.tensor([[1]]), 1, top_p=2.0)
