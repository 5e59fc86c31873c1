"""Transformers' assisted generation writes the same greedy text as the book's
speculative decoding, and its samples have the distribution that the book's has.
"""

import dataclasses

import pytest
import torch

from genai_tutorial.generation import (
    generate,
    generate_speculatively,
    generate_with_lookup,
    next_token_probabilities,
)
from genai_tutorial.metrics import chi_square_test
from tests.parity.test_transformers_llama import CONFIG, random_pair

transformers = pytest.importorskip("transformers")

TARGET = dataclasses.replace(CONFIG, vocab_size=24)
DRAFT = dataclasses.replace(TARGET, layers=1)
PROMPT = torch.tensor([[3, 1, 4, 1, 5, 3, 1]])


@pytest.fixture(scope="module")
def pairs():
    """A target and a draft, ours and theirs."""
    (target, their_target), (draft, their_draft) = (
        random_pair(config, seed) for config, seed in ((TARGET, 0), (DRAFT, 5))
    )
    settings = their_draft.generation_config
    settings.num_assistant_tokens = 3
    settings.num_assistant_tokens_schedule = "constant"
    settings.assistant_confidence_threshold = 0.0
    return target.eval(), draft.eval(), their_target.eval(), their_draft.eval()


def theirs(model, count, **options):
    return model.generate(
        PROMPT, attention_mask=torch.ones_like(PROMPT), max_new_tokens=count,
        min_new_tokens=count, **options,
    )  # fmt: skip


def test_greedy_assisted_generation(pairs):
    target, draft, their_target, their_draft = pairs
    plain = generate(target, PROMPT, 30, temperature=0)
    assert torch.equal(theirs(their_target, 30, do_sample=False), plain)
    assisted = theirs(their_target, 30, do_sample=False, assistant_model=their_draft)
    assert torch.equal(assisted, plain)
    found = generate_speculatively(target, draft, PROMPT, 30, temperature=0, drafted=3)
    assert torch.equal(found.ids, plain)


def test_greedy_prompt_lookup(pairs):
    target, _, their_target, _ = pairs
    looked_up = theirs(their_target, 30, do_sample=False, prompt_lookup_num_tokens=4)
    found = generate_with_lookup(target, PROMPT, 30, drafted=4)
    assert torch.equal(looked_up, found.ids)
    assert found.accepted > 0


@pytest.mark.slow
@pytest.mark.parametrize("top_k", [None, 6], ids=["no filter", "top-k 6"])
@torch.no_grad()
def test_sampled_assisted_generation(pairs, top_k):
    """Theirs and ours are held to the exact probabilities of all pairs of tokens."""
    target, draft, their_target, their_draft = pairs
    size, start = TARGET.vocab_size, PROMPT.shape[1]
    first = next_token_probabilities(target(PROMPT)[0, -1], top_k=top_k)
    texts = torch.cat((PROMPT.expand(size, -1), torch.arange(size)[:, None]), dim=1)
    second = next_token_probabilities(target(texts)[:, -1], top_k=top_k)
    exact = (first[:, None] * second).flatten()
    generator = torch.Generator().manual_seed(0)
    counts = torch.zeros(2, size, size, dtype=torch.long)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for _ in range(400):
            pair = theirs(
                their_target, 2, do_sample=True, top_k=top_k or 0,
                assistant_model=their_draft,
            )  # fmt: skip
            counts[0][tuple(pair[0, start:].tolist())] += 1
            pair = generate_speculatively(
                target, draft, PROMPT, 2, drafted=1, top_k=top_k, generator=generator
            )
            counts[1][tuple(pair.ids[0, start:].tolist())] += 1
    alone = next_token_probabilities(draft(PROMPT)[0, -1], top_k=top_k)
    for drawn in counts:
        assert chi_square_test(drawn.flatten(), exact).p_value > 1e-4
        assert chi_square_test(drawn.sum(dim=1), alone).p_value < 1e-4
