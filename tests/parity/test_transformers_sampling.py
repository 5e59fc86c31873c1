"""The book's sampling filters are transformers' logits warpers."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.generation import next_token_probabilities

transformers = pytest.importorskip("transformers")

seeds = st.integers(0, 100_000)


def random_logits(seed):
    return 2 * torch.randn(3, 50, generator=torch.Generator().manual_seed(seed))


def through(warpers, logits):
    for warper in warpers:
        logits = warper(None, logits)
    return logits.softmax(dim=-1)


@given(seeds, st.floats(0.05, 5.0))
@settings(max_examples=50)
def test_temperature(seed, temperature):
    logits = random_logits(seed)
    expected = through([transformers.TemperatureLogitsWarper(temperature)], logits)
    torch.testing.assert_close(
        next_token_probabilities(logits, temperature), expected, atol=1e-6, rtol=1e-4
    )


@given(seeds, st.integers(1, 60))
@settings(max_examples=50)
def test_top_k(seed, top_k):
    logits = random_logits(seed)
    expected = through([transformers.TopKLogitsWarper(top_k)], logits)
    torch.testing.assert_close(next_token_probabilities(logits, top_k=top_k), expected)


@given(seeds, st.floats(0.05, 0.99))
@settings(max_examples=50)
def test_top_p(seed, top_p):
    logits = random_logits(seed)
    expected = through([transformers.TopPLogitsWarper(top_p)], logits)
    torch.testing.assert_close(next_token_probabilities(logits, top_p=top_p), expected)


@given(seeds, st.floats(0.0, 1.0))
@settings(max_examples=50)
def test_min_p(seed, min_p):
    logits = random_logits(seed)
    expected = through([transformers.MinPLogitsWarper(min_p)], logits)
    torch.testing.assert_close(next_token_probabilities(logits, min_p=min_p), expected)


@given(
    seeds,
    st.floats(0.3, 2.0),
    st.integers(1, 60),
    st.floats(0.05, 0.99),
    st.floats(0.0, 0.5),
)
@settings(max_examples=100)
def test_all_together_in_the_order_of_generate(seed, temperature, top_k, top_p, min_p):
    logits = random_logits(seed)
    warpers = [
        transformers.TemperatureLogitsWarper(temperature),
        transformers.TopKLogitsWarper(top_k),
        transformers.TopPLogitsWarper(top_p),
        transformers.MinPLogitsWarper(min_p),
    ]
    found = next_token_probabilities(logits, temperature, top_k, top_p, min_p)
    torch.testing.assert_close(found, through(warpers, logits), atol=1e-6, rtol=1e-4)
