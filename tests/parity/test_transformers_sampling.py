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


FILTERS = {
    "temperature": (transformers.TemperatureLogitsWarper, st.floats(0.05, 5.0)),
    "top_k": (transformers.TopKLogitsWarper, st.integers(1, 60)),
    "top_p": (transformers.TopPLogitsWarper, st.floats(0.05, 0.99)),
    "min_p": (transformers.MinPLogitsWarper, st.floats(0.0, 1.0)),
}


@pytest.mark.parametrize("name", FILTERS)
@given(seeds, st.data())
@settings(max_examples=50)
def test_each_filter(name, seed, data):
    warper, values = FILTERS[name]
    value, logits = data.draw(values), random_logits(seed)
    found = next_token_probabilities(logits, **{name: value})
    # A temperature multiplies here and divides there.
    close = {"atol": 1e-6, "rtol": 1e-4} if name == "temperature" else {}
    torch.testing.assert_close(found, through([warper(value)], logits), **close)


@given(
    seeds, st.floats(0.3, 2.0), st.integers(1, 60), st.floats(0.05, 0.99),
    st.floats(0.0, 0.5),
)  # fmt: skip
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
