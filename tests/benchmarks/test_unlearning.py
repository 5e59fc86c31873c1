"""The unlearning losses by hand, and on a small model that knows twelve answers."""

import copy
import math
from functools import partial

import pytest
import torch

from benchmarks.unlearning import (
    gradient_ascent_loss,
    gradient_difference_loss,
    npo_loss,
    relearn,
    unlearn,
)
from genai_tutorial.alignment import (
    Example,
    answer_log_probs,
    pad_examples,
    supervised_loss,
)
from genai_tutorial.transformer import DecoderConfig, DecoderLM
from tests.drawn import stirred

KNOWN = pad_examples([Example((1, n), (20 + n, 2)) for n in range(3, 15)])
FORGET = pad_examples([Example((1, n), (20 + n, 2)) for n in range(3, 6)])
RETAIN = pad_examples([Example((1, n), (20 + n, 2)) for n in range(6, 15)])


def batch(rows):
    return rows.ids, rows.is_answer


@pytest.fixture(scope="module")
def knowing_model():
    model = DecoderLM(DecoderConfig.fast(40, 8, width=32, layers=1, heads=2))
    return relearn(model, KNOWN, steps=150, batch_size=12, learning_rate=0.01, seed=0)


def right(model, rows):
    """Return the share of answers whose first token is the likeliest."""
    with torch.no_grad():
        chosen = model(rows.ids)[:, 1].argmax(dim=-1)
    return (chosen == rows.ids[:, 2]).double().mean().item()


def test_losses_by_hand(knowing_model):
    model = copy.deepcopy(knowing_model)
    with torch.no_grad():
        model.token_embedding.weight += 0.02
    forgotten, kept = batch(FORGET), batch(RETAIN)
    arguments = model, knowing_model, forgotten, kept
    on_forgotten = supervised_loss(model, *forgotten)
    on_kept = supervised_loss(model, *kept)
    assert torch.equal(gradient_ascent_loss(*arguments), -on_forgotten)
    assert torch.equal(gradient_difference_loss(*arguments), on_kept - on_forgotten)
    ratios = (
        answer_log_probs(model, *forgotten)
        - answer_log_probs(knowing_model, *forgotten)
    ).tolist()
    expected = sum(2 / 0.5 * math.log1p(math.exp(0.5 * r)) for r in ratios) / 3
    both = npo_loss(*arguments, beta=0.5)
    assert both.item() == pytest.approx(expected + on_kept.item(), rel=1e-4)


def test_npo_gradient_is_that_of_ascent_at_the_start(knowing_model):
    """At the reference, each ratio is 1, so the weight of each answer is one half of
    2/beta times beta: the gradient of the mean log-probability.
    """
    unsure = copy.deepcopy(knowing_model)  # sure answers have hardly any gradient
    stirred(unsure, size=0.3)
    gradients = []
    for loss in (
        lambda model: (
            npo_loss(model, unsure, batch(FORGET), batch(RETAIN))
            - supervised_loss(model, *batch(RETAIN))
        ),
        lambda model: answer_log_probs(model, *batch(FORGET)).mean(),
    ):
        model = copy.deepcopy(unsure)
        model.zero_grad()
        loss(model).backward()
        gradients.append(model.token_embedding.weight.grad)
    assert gradients[0].abs().max() > 1e-2
    torch.testing.assert_close(*gradients, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    "loss", [gradient_ascent_loss, gradient_difference_loss, partial(npo_loss, beta=1)]
)
def test_unlearning_forgets_and_leaves_the_model_it_was_given(knowing_model, loss):
    before = right(knowing_model, FORGET)
    forgetting = unlearn(
        knowing_model, loss, FORGET, RETAIN,
        steps=15, batch_size=4, learning_rate=0.005, seed=0,
    )  # fmt: skip
    assert before == right(knowing_model, FORGET) == 1
    assert right(forgetting, FORGET) < 0.5
    if loss is not gradient_ascent_loss:
        assert right(forgetting, RETAIN) > 0.8
    again = relearn(
        forgetting, FORGET, steps=40, batch_size=4, learning_rate=0.01, seed=0
    )
    assert right(again, FORGET) == 1
    assert right(forgetting, FORGET) < 0.5
