import math

import pytest
import torch

from genai_tutorial.alignment import (
    Example,
    answer_log_probs,
    answer_steps,
    entropy,
    masked_mean,
    masked_sum,
    pad_examples,
    supervised_loss,
    token_log_probs,
)
from genai_tutorial.alignment.log_probs import chosen_log_probs
from genai_tutorial.training import AdamW, TensorBatches, fit
from genai_tutorial.transformer import DecoderConfig, DecoderLM, next_token_loss
from tests.alignment.models import LLAMA, Table, model_of, normal, random_ids

EXAMPLES = [Example((2, 3, 4), (5, 6)), Example((7,), (8, 9, 1)), Example((3, 3), (1,))]


def slow_loss(model, examples, prompt_too=False):
    """The loss computed one example and one token at a time, with everything before it
    as context.
    """
    losses = []
    for example in examples:
        text = [*example.prompt, *example.answer]
        first = 1 if prompt_too else len(example.prompt)
        for place in range(first, len(text)):
            scores = model(torch.tensor([text[:place]]))[0, -1].double().tolist()
            losses.append(math.log(sum(map(math.exp, scores))) - scores[text[place]])
    return sum(losses) / len(losses)


@pytest.mark.parametrize("seed", range(3))
def test_supervised_loss_is_the_mean_over_the_tokens_of_answers(seed):
    model, rows = model_of(LLAMA, seed), pad_examples(EXAMPLES, 8)
    assert supervised_loss(model, *rows.tensors).item() == pytest.approx(
        slow_loss(model, EXAMPLES), abs=1e-5
    )
    everything = supervised_loss(model, rows.ids, rows.is_text, rows.documents)
    assert everything.item() == pytest.approx(
        slow_loss(model, EXAMPLES, prompt_too=True), abs=1e-5
    )


def test_supervised_loss_without_a_mask_is_the_loss_of_pre_training():
    model, ids = model_of(LLAMA), random_ids(3, 9)
    plain = next_token_loss(model(ids)[:, :-1], ids[:, 1:])
    torch.testing.assert_close(
        supervised_loss(model, ids, torch.ones_like(ids, dtype=torch.bool)), plain
    )


def test_supervised_loss_has_no_gradient_from_predicting_the_prompt():
    # The logits are parameters: a step whose target is a token of the prompt must get a
    # gradient of exactly zero.
    rows = pad_examples(EXAMPLES, 8)
    table = Table(normal(3, 8, 13))
    supervised_loss(table, *rows.tensors).backward()
    scores = table.scores
    learned = torch.cat(
        (rows.is_answer[:, 1:], torch.zeros(3, 1, dtype=torch.bool)), dim=1
    )
    assert not scores.grad[~learned].any()
    # Elsewhere the gradient is that of cross-entropy: probability minus one for the
    # right token.
    expected = scores.detach().softmax(dim=-1)[:, :-1]
    expected = expected - torch.nn.functional.one_hot(rows.ids[:, 1:], 13)
    torch.testing.assert_close(
        scores.grad[learned], expected[learned[:, :-1]] / learned.sum()
    )


def test_supervised_loss_still_depends_on_the_prompt():
    model, rows = model_of(LLAMA), pad_examples(EXAMPLES, 8)
    other = pad_examples([Example((9, 9, 9), e.answer) for e in EXAMPLES], 8)
    assert (
        abs(
            supervised_loss(model, *rows.tensors)
            - supervised_loss(model, *other.tensors)
        )
        > 1e-3
    )


def test_supervised_loss_lets_fit_memorize_answers():
    # After 2 comes 5, after 3 comes 6. The prompts themselves remain unpredictable.
    examples = [Example((2,), (5, 1)), Example((3,), (6, 1))]
    rows = pad_examples(examples)
    model = DecoderLM(DecoderConfig.llama(8, 4, 16, 1, 2, 2, 32))
    fit(model, TensorBatches(rows.tensors, 2, seed=0), supervised_loss,
    AdamW(model.parameters(), lr=0.01),
        steps=150, progress=False)  # fmt: skip
    assert slow_loss(model, examples) < 0.01
    assert model(torch.tensor([[2], [3]])).argmax(dim=-1).tolist() == [[5], [6]]


def test_supervised_loss_refuses_an_empty_mask():
    with pytest.raises(ValueError, match="No step of the batch counts"):
        supervised_loss(
            model_of(LLAMA), random_ids(2, 5), torch.zeros(2, 5, dtype=torch.bool)
        )


def test_token_log_probs_of_all_next_tokens_sum_to_one():
    model = model_of(LLAMA)
    ids = torch.cat((random_ids(1, 4).repeat(13, 1), torch.arange(13)[:, None]), dim=1)
    assert token_log_probs(model, ids)[:, -1].exp().sum().item() == pytest.approx(
        1, abs=1e-5
    )


def test_answer_log_probs_sum_over_the_tokens():
    model, rows = model_of(LLAMA), pad_examples(EXAMPLES, 8)
    found = answer_log_probs(model, rows.ids, rows.is_answer)
    for example, log_prob in zip(EXAMPLES, found, strict=True):
        assert log_prob.item() == pytest.approx(
            -slow_loss(model, [example]) * len(example.answer), abs=1e-5
        )


def test_answer_steps_have_no_step_for_the_first_token_of_a_row():
    assert answer_steps(torch.tensor([[True, True, False]])).tolist() == [[True, False]]


def test_answer_steps_do_not_cross_from_one_text_to_the_next():
    everything = torch.ones(1, 4, dtype=torch.bool)
    assert answer_steps(everything, torch.tensor([[0, 0, 1, 1]])).tolist() == [
        [True, False, True]
    ]


def test_masked_mean_and_sum_ignore_masked_values():
    numbers = torch.tensor([[1.0, torch.nan], [torch.inf, 3.0]], requires_grad=True)
    mask = torch.tensor([[True, False], [False, True]])
    assert masked_mean(numbers, mask) == 2
    assert masked_sum(numbers, mask).tolist() == [1, 3]
    masked_mean(numbers, mask).backward()
    assert numbers.grad.tolist() == [[0.5, 0], [0, 0.5]]


@pytest.mark.parametrize("seed", range(3))
def test_entropy_equals_torchs(seed):
    logits = 3 * normal(4, 5, 7, seed=seed)
    torch.testing.assert_close(
        entropy(logits), torch.distributions.Categorical(logits=logits).entropy()
    )


def test_entropy_and_log_prob_of_a_certain_token_are_zero():
    logits = torch.tensor([[[0.0, 1e4, 0.0]] * 2])
    assert chosen_log_probs(logits, torch.tensor([[0, 1]])) == 0
    assert entropy(logits).tolist() == [[0, 0]]
