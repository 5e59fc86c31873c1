"""Prompt lookup copies what followed the same words before, and changes no text."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.generation import (
    find_continuation,
    generate,
    generate_with_lookup,
    next_token_probabilities,
)
from genai_tutorial.metrics import chi_square_test
from tests.generation.test_speculative import PROMPT, model


def test_find_continuation_prefers_the_longest_ending_and_its_last_occurrence():
    text = [1, 2, 3, 7, 9, 2, 3, 8, 5, 3, 6, 1, 2, 3]
    assert find_continuation(text, 2) == [7, 9]  # after 1, 2, 3
    assert find_continuation(text, 2, longest=2) == [8, 5]  # after the last 2, 3
    assert find_continuation(text, 2, longest=1) == [6, 1]  # after the last 3


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
    st.integers(1, 4),
    st.lists(st.integers(0, 19), max_size=2),
)
@settings(max_examples=25)
def test_lookup_equals_greedy_decoding(seed, drafted, longest, stops):
    target = model(seed)
    prompt = PROMPT.repeat(1, 2)
    found = generate_with_lookup(
        target, prompt, 30, drafted=drafted, longest=longest, stop_tokens=stops
    )
    plain = generate(target, prompt, 30, temperature=0, stop_tokens=stops)
    assert torch.equal(found.ids, plain)


def test_lookup_saves_passes_where_the_text_repeats_itself():
    """A small random model soon repeats itself when it decodes greedily."""
    found = generate_with_lookup(model(0), PROMPT, 40, drafted=4)
    assert found.accepted > 4
    assert found.new_tokens == 40 == found.passes + found.accepted


@pytest.mark.slow
def test_sampled_lookup_has_the_distribution_of_the_target():
    target, prompt = model(1), torch.tensor([[3, 1, 4, 3]])
    generator = torch.Generator().manual_seed(0)
    counts = torch.zeros(20, dtype=torch.long)
    for _ in range(1500):
        found = generate_with_lookup(
            target, prompt, 2, temperature=1.0, generator=generator
        )
        counts[int(found.ids[0, 4])] += 1
    p = next_token_probabilities(target(prompt)[0, -1]).detach()
    assert chi_square_test(counts, p).p_value > 1e-4


def test_find_continuation_refuses_impossible_numbers():
    with pytest.raises(ValueError, match="longest at least 1, got 2 and 0"):
        find_continuation([1, 2], 2, longest=0)
