import math

import pytest
import torch

from genai_tutorial.generation import (
    SampledAnswer,
    accuracy_per_tokens,
    beam_search,
    best_of_samples,
    generate,
    self_consistency,
    weighted_vote,
)
from genai_tutorial.transformer import DecoderLM
from tests.alignment.models import CONFIGS, END, FAST, LLAMA, model_of

BEAM_ALL = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())


def log_prob_of(model, prompt, tokens):
    ids = torch.tensor([[*prompt, *tokens]])
    table = model(ids)[0, len(prompt) - 1 : -1].log_softmax(dim=-1).detach()
    return float(table.gather(1, ids[0, len(prompt) :, None]).sum())


@BEAM_ALL
def test_beam_search_log_probs_equal_a_forward_pass(config):
    model = model_of(config)
    found = beam_search(model, [2, 3, 4], 6, beams=3, end_tokens=[END])
    assert len({text.tokens for text in found}) == 3
    for text in found:
        expected = log_prob_of(model, [2, 3, 4], text.tokens)
        assert text.log_prob == pytest.approx(expected, abs=1e-4)
        assert text.score == pytest.approx(expected / len(text.tokens), abs=1e-4)
        assert END not in text.tokens[:-1]


def test_beam_search_with_one_beam_is_greedy_decoding():
    model = model_of(FAST)
    (found,) = beam_search(model, [5, 6], 9, beams=1)
    greedy = generate(model, torch.tensor([[5, 6]]), 9, temperature=0)
    assert list(found.tokens) == greedy[0, 2:].tolist()


@pytest.mark.parametrize("seed", range(3))
def test_beam_search_with_a_beam_per_token_finds_the_best_pair(seed):
    model = model_of(LLAMA, seed)
    pairs = torch.cartesian_prod(torch.tensor([5]), *[torch.arange(13)] * 2)
    table = model(pairs)[:, :2].log_softmax(dim=-1).detach()
    totals = table.gather(2, pairs[:, 1:, None]).sum(dim=(1, 2))
    (found, *_) = beam_search(model, [5], 2, beams=13)
    assert list(found.tokens) == pairs[totals.argmax(), 1:].tolist()


def test_beam_search_beyond_the_context_window():
    model = model_of(LLAMA)
    found = beam_search(model, list(range(2, 12)) * 2, 8, beams=2)
    assert all(len(text.tokens) == 8 for text in found)


class Chain(DecoderLM):
    """A model whose next token depends on the last token only."""

    def read(self, ids, context=None):
        super().read(ids, context)
        return torch.nn.functional.one_hot(ids, 13).float()

    def logits(self, x):
        table = torch.full((13, 13), 1e-9)
        table[0, [1, 10, 11, 12, 2]] = torch.tensor([0.3, 0.25, 0.2, 0.15, 0.1])
        table[1, 3:8] = 0.2
        table[2, 12] = 0.99
        return x @ table.log()


def test_beam_search_keeps_its_beams_where_most_continuations_end():
    """Three of the four best continuations end, yet both beams must go on."""
    found = beam_search(Chain(FAST), [0], 3, beams=2, end_tokens=[10, 11, 12])
    assert [text.tokens for text in found] == [(2, 12), (10,)]


def test_beam_search_refuses_bad_arguments():
    model = model_of(LLAMA)
    with pytest.raises(ValueError, match="at least one token"):
        beam_search(model, [], 3)
    with pytest.raises(ValueError, match="at least 1; got 1, 3 and 0"):
        beam_search(model, [2], 3, beams=0)


def samples_of(*answers, tokens=3):
    return [SampledAnswer(answer, tokens) for answer in answers]


def test_self_consistency_counts_answers_not_texts():
    ways = [SampledAnswer(43, 5, text="16+27"), SampledAnswer(43, 9, text="27+16")]
    chosen = self_consistency([SampledAnswer(44, 2), *ways])
    assert (chosen.answer, chosen.tokens) == (43, 16)
    assert chosen.weight == pytest.approx(2 / 3)


@pytest.mark.parametrize("answers", [(2, 1, 1, 2), (2, 1), (2, None, 1)])
def test_self_consistency_tie_goes_to_the_first_answer(answers):
    assert self_consistency(samples_of(*answers)).answer == 2


def test_self_consistency_ignores_samples_without_an_answer():
    chosen = self_consistency(samples_of(None, None, None, 5))
    assert (chosen.answer, chosen.tokens, chosen.weight) == (5, 12, 1.0)


def test_self_consistency_without_any_answer():
    chosen = self_consistency(samples_of(None, None))
    assert (chosen.answer, chosen.tokens, chosen.weight) == (None, 6, 0.0)


def test_weighted_vote_with_weights_of_zero():
    chosen = weighted_vote(samples_of(4, 5), lambda sample: 0.0)
    assert (chosen.answer, chosen.weight) == (4, 0.0)


@pytest.mark.parametrize("weight", [-1.0, math.nan, math.inf])
def test_weighted_vote_rejects_weights(weight):
    with pytest.raises(ValueError, match="A weight must be a number from 0 up"):
        weighted_vote(samples_of(1), lambda sample: weight)


def test_best_of_samples_takes_the_first_of_equal_scores():
    samples = [SampledAnswer(1, 3, -2.0), SampledAnswer(2, 3, -1.0)]
    assert best_of_samples(samples, lambda sample: sample.log_prob).answer == 2
    assert best_of_samples(samples, lambda sample: 0.0).answer == 1


@pytest.mark.parametrize(
    "choose", [self_consistency, lambda samples: best_of_samples(samples, len)]
)
def test_choices_need_a_sample(choose):
    with pytest.raises(ValueError, match="at least one sample"):
        choose([])


def test_accuracy_per_tokens_splits_samples_into_groups():
    samples = [samples_of(1, 1, 2, 2), samples_of(3, 3, 3, 3)]
    points = accuracy_per_tokens(samples, [1, 3], self_consistency, [1, 2, 4])
    assert [point.accuracy for point in points] == [0.75, 0.75, 1.0]
    assert [point.tokens for point in points] == [3.0, 6.0, 12.0]
    assert [point.n for point in points] == [1, 2, 4]


def test_best_of_samples_with_a_verifier_equals_any_right_sample():
    samples, truth = samples_of(4, 5, None, 4), 5
    (point,) = accuracy_per_tokens(
        [samples],
        [truth],
        lambda row: best_of_samples(row, lambda sample: float(sample.answer == truth)),
        [4],
    )
    assert point.accuracy == float(any(s.answer == truth for s in samples))


def test_accuracy_per_tokens_rejects_uneven_rows_and_counts():
    with pytest.raises(ValueError, match="equally many samples"):
        accuracy_per_tokens(
            [samples_of(1), samples_of(1, 2)], [1, 1], self_consistency, [1]
        )
    with pytest.raises(ValueError, match="from 1 to 2"):
        accuracy_per_tokens([samples_of(1, 2)], [1], self_consistency, [3])
