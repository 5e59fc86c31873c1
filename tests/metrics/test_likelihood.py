"""Likelihoods in their units, and every token of a text scored exactly once."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from genai_tutorial.metrics import (
    bits_per_dimension,
    evaluate_language_model,
    perplexity,
)

VOCABULARY = 7


class ContextModel(nn.Module):
    """Logits that depend on every id before the position and on its distance, as a
    Transformer's do.
    """

    def __init__(self, dropout: float = 0.0):
        super().__init__()
        self.table = nn.Embedding(VOCABULARY, VOCABULARY)
        self.dropout = nn.Dropout(dropout)
        self.calls: list[torch.Tensor] = []
        with torch.no_grad():
            self.table.weight.copy_(
                torch.randn(
                    VOCABULARY, VOCABULARY, generator=torch.Generator().manual_seed(0)
                )
            )

    def forward(self, ids):
        self.calls.append(ids)
        state, logits = 0, []
        for position in range(ids.shape[1]):
            state = 0.7 * state + self.dropout(self.table(ids[:, position]))
            logits.append(state)
        return torch.stack(logits, dim=1)


class IndependentModel(nn.Module):
    """The same probabilities everywhere, different for each token."""

    def __init__(self):
        super().__init__()
        self.register_buffer(
            "log_probabilities",
            torch.randn(VOCABULARY, dtype=torch.float64).log_softmax(dim=0),
        )

    def forward(self, ids):
        return self.log_probabilities.expand(*ids.shape, -1)


def random_tokens(length: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(VOCABULARY, (length,), generator=generator)


def last_log_probability(
    model: nn.Module, context: torch.Tensor, target: torch.Tensor
) -> float:
    with torch.no_grad():
        return float(model(context[None])[0, -1].log_softmax(dim=0)[target])


@st.composite
def texts(draw):
    length = draw(st.integers(2, 60))
    context_length = draw(st.integers(1, 20))
    stride = draw(st.integers(1, context_length))
    return random_tokens(length, draw(st.integers(0, 99))), context_length, stride


@given(texts())
def test_evaluate_language_model_scores_every_token_once(text):
    tokens, context_length, stride = text
    model = IndependentModel()
    score = evaluate_language_model(model, tokens, context_length, stride=stride)
    # Once each, wherever the windows lie: any token left out or scored twice changes
    # the sum.
    assert score.log_likelihood == pytest.approx(
        float(model.log_probabilities[tokens[1:]].sum()), rel=1e-6
    )
    assert score.tokens == len(tokens) - 1


@pytest.mark.slow
@given(texts())
def test_evaluate_language_model_agrees_with_a_plain_loop(text):
    tokens, context_length, stride = text
    model = ContextModel()
    score = evaluate_language_model(model, tokens, context_length, stride=stride)
    expected, scored, start = 0.0, 0, 0
    while scored < len(tokens) - 1:
        start = min(start, max(0, len(tokens) - 1 - context_length))
        end = min(start + context_length, len(tokens) - 1)
        for target in range(scored + 1, end + 1):
            expected += last_log_probability(
                model, tokens[start:target], tokens[target]
            )
        scored, start = end, start + stride
    assert score.log_likelihood == pytest.approx(expected, rel=1e-5)


@settings(max_examples=20)
@given(st.integers(2, 40), st.integers(1, 12))
def test_stride_one_gives_each_token_the_longest_context(length, context_length):
    tokens = random_tokens(length, seed=length)
    model = ContextModel()
    expected = sum(
        last_log_probability(
            model, tokens[max(0, target - context_length) : target], tokens[target]
        )
        for target in range(1, length)
    )
    score = evaluate_language_model(model, tokens, context_length, stride=1)
    assert score.log_likelihood == pytest.approx(expected, rel=1e-5)


def test_stride_smaller_helps_a_model_that_uses_its_context():
    # Each token repeats the one before it with probability 0.9, and the model knows.
    class Repeats(nn.Module):
        def forward(self, ids):
            certain = torch.full((*ids.shape, VOCABULARY), 0.1 / (VOCABULARY - 1))
            unknown = torch.full((*ids.shape, VOCABULARY), 1 / VOCABULARY)
            certain.scatter_(2, ids[:, :, None], 0.9)
            # it needs to see two tokens to be sure
            first = torch.arange(ids.shape[1])[None, :, None] < 2
            return torch.where(first, unknown, certain).log()

    tokens = torch.arange(VOCABULARY).repeat_interleave(30)
    scores = [
        evaluate_language_model(Repeats(), tokens, 8, stride=stride).nats_per_token
        for stride in (8, 4, 1)
    ]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > scores[-1] + 0.2


def test_evaluate_language_model_uniform_model_scores_ln_v():
    model = IndependentModel()
    model.log_probabilities = torch.zeros(VOCABULARY)
    score = evaluate_language_model(model, torch.arange(5), context_length=3)
    assert score.nats_per_token == pytest.approx(math.log(VOCABULARY))
    assert perplexity(score.nats_per_token) == pytest.approx(VOCABULARY)


@pytest.mark.parametrize("training", [True, False])
def test_evaluate_language_model_disables_dropout_and_restores_the_mode(training):
    tokens = random_tokens(50)
    model = ContextModel(dropout=0.5).train(training)
    score = evaluate_language_model(model, tokens, 10)
    assert score == evaluate_language_model(ContextModel(), tokens, 10)
    assert model.training is training
    with pytest.raises(IndexError):
        evaluate_language_model(model, tokens + VOCABULARY, 10)
    assert model.training is training


def test_evaluate_language_model_batches_windows_of_the_context_length():
    model = ContextModel()
    evaluate_language_model(model, random_tokens(401), 10)
    assert [tuple(call.shape) for call in model.calls] == [(32, 10), (8, 10)]


def test_evaluate_language_model_records_no_gradient():
    recorded = []
    model = ContextModel()
    model.register_forward_hook(
        lambda module, inputs, output: recorded.append(output.requires_grad)
    )
    evaluate_language_model(model, torch.arange(7), 3)
    assert recorded == [False]


@pytest.mark.parametrize(
    ("length", "settings", "message"),
    [
        (1, {}, "at least 2 ids"),
        (9, {"stride": 0}, "stride must be from 1 to context_length = 4, got 0"),
        (9, {"stride": 5}, "stride must be from 1 to context_length = 4, got 5"),
    ],
)
def test_evaluate_language_model_invalid_arguments_raise(length, settings, message):
    with pytest.raises(ValueError, match=message):
        evaluate_language_model(
            ContextModel(), torch.zeros(length, dtype=torch.long), 4, **settings
        )


@given(st.floats(0.01, 1000), st.floats(-2000, 2000), st.integers(1, 10_000))
def test_bits_per_dimension_do_not_depend_on_the_unit(scale, log_density, dimensions):
    # If y = scale · x, then log p(y) = log p(x) − D ln(scale), and a level is `scale`
    # times as wide.
    in_x = bits_per_dimension(log_density, dimensions, level_width=1 / 255)
    in_y = bits_per_dimension(
        log_density - dimensions * math.log(scale), dimensions, level_width=scale / 255
    )
    assert in_y == pytest.approx(in_x, rel=1e-9, abs=1e-9)


def test_bits_per_dimension_agree_with_the_probabilities_of_the_levels():
    levels = np.random.default_rng(0).integers(60, 200, size=500)
    normal = scipy.stats.norm(loc=128, scale=40)
    exact = -np.log2(normal.cdf(levels + 0.5) - normal.cdf(levels - 0.5)).mean()
    scaled = scipy.stats.norm(loc=128 / 255, scale=40 / 255).logpdf(levels / 255).sum()
    assert bits_per_dimension(
        float(scaled), dimensions=500, level_width=1 / 255
    ) == pytest.approx(exact, abs=1e-4)


@pytest.mark.parametrize(("dimensions", "width"), [(0, 1.0), (5, 0.0), (5, -1.0)])
def test_bits_per_dimension_invalid_arguments_raise(dimensions, width):
    with pytest.raises(ValueError, match=r"must be (at least 1|positive)"):
        bits_per_dimension(-1.0, dimensions, level_width=width)
