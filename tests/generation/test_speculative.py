"""Speculative decoding writes what the target would write alone, whatever the draft."""

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.generation import (
    find_continuation,
    generate,
    generate_speculatively,
    generate_with_lookup,
    next_token_probabilities,
)
from genai_tutorial.generation.speculative import Sampling, speculate
from genai_tutorial.metrics import chi_square_test
from genai_tutorial.transformer import (
    DecoderConfig,
    DecoderLM,
    InitializationConfig,
    LocalConfig,
)

CONFIG = DecoderConfig.llama(
    vocab_size=20,
    context_length=48,
    width=16,
    layers=2,
    heads=2,
    key_value_heads=1,
    feed_forward_width=24,
)
CONFIG = dataclasses.replace(CONFIG, initialization=InitializationConfig(std=0.5))
SMALL = dataclasses.replace(CONFIG, layers=1)
PROMPT = torch.tensor([[3, 1, 4]])


def model(seed, config=CONFIG):
    # in double precision, where no near tie is decided by rounding
    return DecoderLM(config, seed).double().eval()


def near(target, seed, noise):
    """Return a draft that often agrees with the target."""
    draft = model(0)
    draft.load_state_dict(target.state_dict())
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in draft.parameters():
            parameter.add_(
                noise
                * torch.randn(parameter.shape, generator=generator, dtype=torch.double)
            )
    return draft


@pytest.mark.slow
@given(
    st.integers(0, 1000),
    st.sampled_from([0.0, 0.02, 0.1, None]),
    st.integers(1, 7),
    st.integers(0, 30),
    st.lists(st.integers(0, 19), max_size=2),
)
@settings(max_examples=25)
def test_greedy_speculation_equals_greedy_decoding_for_any_draft(
    seed, noise, drafted, count, stops
):
    target = model(seed)
    draft = model(seed + 1, SMALL) if noise is None else near(target, seed, noise)
    found = generate_speculatively(
        target,
        draft,
        PROMPT,
        count,
        drafted=drafted,
        temperature=0,
        stop_tokens=stops,
    )
    plain = generate(target, PROMPT, count, temperature=0, stop_tokens=stops)
    assert torch.equal(found.ids, plain)
    assert found.new_tokens == plain.shape[1] - 3
    assert found.passes <= found.new_tokens <= found.passes + found.accepted
    assert found.accepted <= found.drafted <= drafted * found.passes
    assert not stops or found.new_tokens >= (count > 0)


def test_speculation_with_the_target_as_draft_accepts_everything():
    target = model(0)
    found = generate_speculatively(target, target, PROMPT, 30, drafted=4)
    assert (found.passes, found.drafted, found.accepted) == (6, 24, 24)
    assert found.tokens_per_pass == 5


@pytest.mark.slow
def test_sampled_speculation_has_the_distribution_of_the_target():
    """Counts of pairs of tokens, against the exact probabilities of all pairs. Without
    filters, `tests/parity/test_transformers_assisted.py` counts them.
    """
    filters = {"temperature": 1.5, "top_k": 9, "top_p": 0.8}
    target, draft = model(1), model(2, SMALL)
    generator = torch.Generator().manual_seed(0)
    counts = torch.zeros(20, 20, dtype=torch.long)
    for _ in range(1500):
        found = generate_speculatively(
            target, draft, PROMPT, 2, drafted=3, generator=generator, **filters
        )
        counts[tuple(found.ids[0, 3:].tolist())] += 1
    first = next_token_probabilities(target(PROMPT)[0, -1], **filters)
    texts = torch.cat((PROMPT.expand(20, -1), torch.arange(20)[:, None]), dim=1)
    second = next_token_probabilities(target(texts)[:, -1], **filters)
    pairs = (first[:, None] * second).flatten().detach()
    assert chi_square_test(counts.flatten(), pairs).p_value > 1e-4
    alone = next_token_probabilities(draft(PROMPT)[0, -1], **filters).detach()
    assert chi_square_test(counts.sum(dim=1), alone).p_value < 1e-4


def test_speculation_passes_follow_from_what_the_draft_proposes():
    """A draft that is always wrong costs one pass per token, an empty one as many."""
    target = model(3)

    def wrong(ids, count):
        right = generate(target, ids, 1, temperature=0)[0, -1:]
        tokens = ((right + 1) % 20).expand(1, count)
        return tokens, torch.nn.functional.one_hot(tokens, 20).double()

    def empty(ids, count):
        return ids[:, :0], torch.zeros(1, 0, 20, dtype=torch.double)

    for draft, drafted in ((wrong, 9 * 3 + 2 + 1), (empty, 0)):
        found = speculate(
            target, draft, PROMPT, 12, drafted=3, sampling=Sampling(temperature=0)
        )
        assert torch.equal(found.ids, generate(target, PROMPT, 12, temperature=0))
        assert (found.passes, found.drafted, found.accepted) == (12, drafted, 0)


def test_speculation_explains_wrong_arguments():
    target = model(0)
    other = model(0, dataclasses.replace(CONFIG, vocab_size=21))
    short = model(0, dataclasses.replace(CONFIG, context_length=8))
    rolling = model(
        0,
        dataclasses.replace(
            CONFIG, attention=dataclasses.replace(CONFIG.attention, sliding_window=4)
        ),
    )
    local = model(0, dataclasses.replace(CONFIG, local=LocalConfig(convolution_size=2)))
    with pytest.raises(ValueError, match="the same vocabulary, got vocab_size=20 and"):
        generate_speculatively(target, other, PROMPT, 5)
    for pair in ((target, short), (short, target)):
        with pytest.raises(ValueError, match=r"holds 8 tokens; .* 9 new tokens are 12"):
            generate_speculatively(*pair, PROMPT, 9)
    with pytest.raises(ValueError, match="drafted at least 1, got 5 and 0"):
        generate_speculatively(target, target, PROMPT, 5, drafted=0)
    with pytest.raises(ValueError, match=r"one row .* got the shape \(2, 3\)"):
        generate_speculatively(target, target, PROMPT.expand(2, -1), 5)
    for model_without in (rolling, local):
        with pytest.raises(ValueError, match="cannot go back"):
            generate_speculatively(model_without, target, PROMPT, 9, temperature=0)


def test_find_continuation_prefers_the_longest_ending_and_its_last_occurrence():
    text = [1, 2, 3, 7, 9, 2, 3, 8, 5, 3, 6, 1, 2, 3]
    assert find_continuation(text, 2) == [7, 9]  # after 1, 2, 3
    assert find_continuation([2, *text[1:-3], 4, 2, 3], 2) == [8, 5]  # after 2, 3
    assert find_continuation([*text[:-3], 4, 3], 2) == [6, 4]  # after the last 3


def test_find_continuation_may_run_into_the_ending():
    assert find_continuation([4, 4, 4], 5) == [4]
    assert find_continuation([1, 2, 1, 2], 5) == [1, 2]
    assert find_continuation([1], 5) == []


@given(st.lists(st.integers(0, 4), min_size=1, max_size=30), st.integers(0, 6))
def test_find_continuation_is_in_the_text_after_one_of_its_endings(text, count):
    found = find_continuation(text, count)
    assert len(found) <= count
    if found:
        places = range(1, len(text) - len(found) + 1)
        assert any(
            text[place : place + len(found)] == found and text[place - 1] == text[-1]
            for place in places
        )
    elif count:
        assert text[-1] not in text[:-1]


@pytest.mark.slow
@given(
    st.integers(0, 1000),
    st.integers(1, 6),
    st.lists(st.integers(0, 19), max_size=2),
)
@settings(max_examples=25)
def test_lookup_equals_greedy_decoding(seed, drafted, stops):
    target = model(seed)
    prompt = PROMPT.repeat(1, 2)
    found = generate_with_lookup(target, prompt, 30, drafted=drafted, stop_tokens=stops)
    plain = generate(target, prompt, 30, temperature=0, stop_tokens=stops)
    assert torch.equal(found.ids, plain)


def test_lookup_saves_passes_where_the_text_repeats_itself():
    """A small random model soon repeats itself when it decodes greedily."""
    found = generate_with_lookup(model(0), PROMPT, 40, drafted=4)
    assert found.accepted > 4
    assert found.new_tokens == 40 == found.passes + found.accepted


def test_find_continuation_refuses_impossible_numbers():
    with pytest.raises(ValueError, match="count must be 0 or more, got -1"):
        find_continuation([1, 2], -1)
