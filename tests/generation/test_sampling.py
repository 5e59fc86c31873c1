import itertools
from functools import partial
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.generation import (
    generate,
    keep_top_p,
    next_token_probabilities,
    no_repeat_ngram,
    repetition_penalty,
)
from tests.generation.test_generate import Counter

some_logits = st.integers(0, 100_000).map(
    lambda seed: 3 * torch.randn(2, 9, generator=torch.Generator().manual_seed(seed))
)


@given(
    some_logits,
    st.sampled_from([0, 0.01, 0.5, 1.0, 3.0]),
    st.none() | st.integers(1, 12),
    st.none() | st.floats(0.01, 1.0),
    st.none() | st.floats(0.0, 1.0),
)
@settings(max_examples=200)
def test_next_token_probabilities_sum_to_one_and_keep_the_best_token(
    logits, temperature, top_k, top_p, min_p
):
    probabilities = next_token_probabilities(logits, temperature, top_k, top_p, min_p)
    assert probabilities.shape == logits.shape
    assert (probabilities >= 0).all()
    torch.testing.assert_close(probabilities.sum(-1), torch.ones(2))
    assert torch.equal(probabilities.argmax(-1), logits.argmax(-1))
    if top_k is not None:
        assert ((probabilities > 0).sum(-1) <= top_k).all()


@given(some_logits, st.floats(0.01, 0.999))
@settings(max_examples=100)
def test_top_p_keeps_the_smallest_set_that_reaches_p(logits, top_p):
    before = logits[0].double().softmax(-1)
    kept = keep_top_p(before, top_p) > 0
    assert before[kept].sum() >= top_p - 1e-9
    # No smaller set of tokens reaches p: try them all.
    smaller = [
        sum(some)
        for some in itertools.combinations(before.tolist(), int(kept.sum()) - 1)
    ]
    assert max(smaller) < top_p
    torch.testing.assert_close(
        keep_top_p(before, top_p)[kept], before[kept] / before[kept].sum()
    )


@pytest.mark.parametrize("temperature", [0, 1e-30])
def test_temperature_near_zero_takes_the_best_token(temperature):
    logits = torch.tensor([[1e4, 3e4, -1e4], [0.0, -1.0, -2.0]])
    expected = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    assert torch.equal(next_token_probabilities(logits, temperature), expected)


def test_top_k_and_top_p_break_ties_by_token_number():
    logits = torch.tensor([0.0, 1.0, 1.0, 1.0])
    assert torch.equal(
        next_token_probabilities(logits, temperature=0),
        torch.tensor([0.0, 1.0, 0.0, 0.0]),
    )
    assert torch.equal(
        next_token_probabilities(logits, top_k=2), torch.tensor([0.0, 0.5, 0.5, 0.0])
    )
    assert torch.equal(
        next_token_probabilities(torch.zeros(4), top_p=0.5),
        torch.tensor([0.5, 0.5, 0.0, 0.0]),
    )


def test_next_token_probabilities_keep_forbidden_tokens_at_zero():
    logits = torch.tensor([0.0, -torch.inf, 0.0])
    assert torch.equal(
        next_token_probabilities(logits, 2.0, top_k=3, min_p=0.0),
        torch.tensor([0.5, 0.0, 0.5]),
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"temperature": -0.1}, "temperature must be 0.*got -0.1"),
        ({"temperature": float("nan")}, "temperature must be"),
        ({"temperature": float("inf")}, "temperature must be"),
        ({"top_k": 0}, "top_k must be at least 1"),
        ({"top_p": 0.0}, "top_p must be above 0"),
        ({"top_p": 1.1}, "top_p must be above 0 and at most 1"),
        ({"min_p": 1.5}, "min_p must be from 0 to 1"),
    ],
)
def test_next_token_probabilities_refuse_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        next_token_probabilities(torch.zeros(3), **arguments)


@pytest.mark.parametrize(
    "bad", [[0.0, float("nan")], [0.0, float("inf")], [-torch.inf, -torch.inf]]
)
def test_next_token_probabilities_refuse_bad_logits(bad):
    with pytest.raises(ValueError, match="finite best score"):
        next_token_probabilities(torch.tensor([[0.0, 1.0], bad]))


IDS = torch.tensor([[0, 1, 1, 3], [2, 2, 2, 2]])
LOGITS = torch.tensor([[2.0, -1.0, 0.5, 4.0], [2.0, -1.0, 0.5, 4.0]])


def test_no_repeat_ngram_of_one_forbids_every_token_of_the_text():
    found = no_repeat_ngram(LOGITS, IDS, 1)
    assert (found == -torch.inf).tolist() == [
        [True, True, False, True],
        [False, False, True, False],
    ]


def test_generate_applies_a_processor_to_the_whole_text():
    # the counter goes round in ten; a repeated pair is forbidden, so it must leave
    ids = generate(
        Counter(),
        torch.tensor([[7]]),
        25,
        temperature=0,
        processor=partial(no_repeat_ngram, size=2),
    )[0].tolist()
    pairs = list(pairwise(ids))
    assert len(set(pairs)) == len(pairs)
    assert ids[:11] == [7, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7]


def test_penalties_refuse_bad_arguments():
    with pytest.raises(ValueError, match="penalty must be above 0, got 0"):
        repetition_penalty(LOGITS, IDS, 0.0)
    with pytest.raises(ValueError, match="size must be at least 1"):
        no_repeat_ngram(LOGITS, IDS, 0)
