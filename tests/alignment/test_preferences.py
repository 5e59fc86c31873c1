"""Preference pairs: from a model's sampled answers to the tokens of a reward model's
batches.
"""

import math

import pytest
import torch

from genai_tutorial.alignment import (
    EncodedPairs,
    Example,
    PreferencePair,
    ScalarModel,
    answer_pairs,
    encode_pairs,
    encode_prompt,
    judge_reward_model,
    pad_examples,
    preferences,
    reward_loss,
    sample_answers,
    train_reward_model,
)
from genai_tutorial.alignment.preferences import (
    length_chunks,
    preference_losses,
    preference_probability,
    preference_report,
)
from genai_tutorial.metrics import expected_calibration_error
from genai_tutorial.tokenization import ChatTemplate, train_bpe
from genai_tutorial.training import AdamW, fit
from genai_tutorial.transformer import AttentionConfig, DecoderConfig, DecoderLM
from tests.alignment.models import CONFIGS, LLAMA, model_of, normal, random_ids

CHAT = ChatTemplate()
TOKENIZER = train_bpe(
    ["What is the capital of Kenya? Nairobi. Lima."],
    300,
    special_tokens=["<|im_start|>", "<|im_end|>"],
)
LONG, SHORT = "What is the capital of Kenya? Nairobi or Lima?", "Capital?"
MODEL = DecoderLM(
    DecoderConfig(TOKENIZER.vocab_size, 128, 16, 1, AttentionConfig(heads=2)), seed=0
)


def sample(prompts, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return sample_answers(MODEL, TOKENIZER, CHAT, prompts, 3, 5, generator)


def test_sample_answers_keeps_the_order_of_the_prompts():
    answers = sample([LONG, SHORT, LONG])
    assert [len(samples) for samples in answers] == [3, 3, 3]
    assert sample([LONG, SHORT, LONG]) == answers != sample([LONG, SHORT, LONG], seed=1)
    # The shorter prompt is answered first, wherever it is in the list.
    swapped = sample([SHORT, LONG, LONG])
    assert swapped[0] == answers[1]


def test_answer_pairs_are_different_answers_to_the_same_prompt():
    answers = [["a", "b", "a", "c"], ["x", "x"]]
    pairs = answer_pairs([LONG, SHORT], answers, 9, torch.Generator().manual_seed(0))
    assert sorted(pair[1:] for pair in pairs) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert {pair[0] for pair in pairs} == {LONG}
    single_pairs = [
        answer_pairs([LONG], answers[:1], 1, torch.Generator().manual_seed(seed))
        for seed in range(9)
    ]
    assert all(len(drawn) == 1 for drawn in single_pairs)
    assert len({drawn[0] for drawn in single_pairs}) > 1


def test_encode_pairs_puts_each_answer_behind_its_prompt_and_a_space():
    pairs = [
        PreferencePair(SHORT, "Nairobi.", "Lima."),
        PreferencePair(LONG, "Lima.", "Nairobi. Nairobi."),
    ]
    encoded = encode_pairs(CHAT, TOKENIZER, pairs)
    end = TOKENIZER.special_tokens["<|im_end|>"]
    for row, pair in enumerate(pairs):
        prompt = encode_prompt(CHAT, TOKENIZER, pair.prompt)
        for name in ("chosen", "rejected"):
            side, answer = getattr(encoded, name), getattr(pair, name)
            expected = [*prompt, *TOKENIZER.encode(f" {answer}"), end]
            assert side.ids[row, : side.lengths[row]].tolist() == expected
            assert side.is_answer[row].sum() == len(expected) - len(prompt)
    ids, _, rejected, lengths = encoded.tensors  # in the order of `reward_loss`
    assert ids is encoded.chosen.ids
    assert rejected is encoded.rejected.ids
    assert torch.equal(lengths, encoded.rejected.lengths)


def test_encode_pairs_refuses_an_empty_list():
    with pytest.raises(ValueError, match="at least one example"):
        encode_pairs(CHAT, TOKENIZER, [])


@pytest.mark.parametrize("count", [1, 3, 7, 50])
def test_length_chunks_split_all_rows_by_length(count):
    lengths = torch.tensor([5, 3, 9, 3, 7, 1, 4])
    chunks = length_chunks(lengths, count)
    assert len(chunks) == min(count, 7)
    assert sorted(torch.cat(chunks).tolist()) == list(range(7))
    assert lengths[torch.cat(chunks)].tolist() == [1, 3, 3, 4, 5, 7, 9]


def with_opinions(config=LLAMA, seed=0):
    model = ScalarModel(model_of(config, seed))
    with torch.no_grad():
        model.head.weight.copy_(normal(*model.head.weight.shape, seed=seed))
    return model


def test_scalar_model_starts_at_zero():
    assert not ScalarModel(model_of(LLAMA))(random_ids(2, 5)).any()


def test_scalar_model_copies_the_decoder():
    decoder = model_of(LLAMA)
    decoder.requires_grad_(False)  # as a reference model is
    before = {name: tensor.clone() for name, tensor in decoder.state_dict().items()}
    model = with_opinions()
    optimizer = AdamW(model.parameters(), lr=0.01)
    model(random_ids(2, 5)).sum().backward()
    optimizer.step()
    assert all(parameter.grad is not None for parameter in model.parameters())
    torch.testing.assert_close(decoder.state_dict(), before, atol=0, rtol=0)
    assert decoder.head is not None


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_scalar_model_score_ignores_padding(config):
    model, ids = with_opinions(config), random_ids(3, 9)
    lengths = torch.tensor([4, 9, 1])
    scores = model.score(ids, lengths)
    for row, length, score in zip(ids, lengths, scores, strict=True):
        alone = model(row[None, :length])[0, -1]
        torch.testing.assert_close(score, alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("lengths", [[0, 1], [1, 6]])
def test_scalar_model_score_lengths_are_validated(lengths):
    with pytest.raises(ValueError, match="lengths must be from 1 to 5"):
        with_opinions().score(random_ids(2, 5), torch.tensor(lengths))


def test_preference_probability_is_the_bradley_terry_model():
    rewards = normal(6)
    for a in rewards.tolist():
        for b in rewards.tolist():
            found = float(preference_probability(torch.tensor(a), torch.tensor(b)))
            # Strengths exp(a) and exp(b): each wins in proportion to its strength.
            expected = math.exp(a) / (math.exp(a) + math.exp(b))
            assert found == pytest.approx(expected, abs=1e-6)


def test_preference_losses_depend_on_differences_and_do_not_overflow():
    a, b = normal(20), normal(20, seed=1)
    torch.testing.assert_close(preference_losses(a + 7, b + 7), preference_losses(a, b))
    torch.testing.assert_close(
        preference_losses(a, b).neg().exp(), preference_probability(a, b)
    )
    assert preference_losses(torch.tensor(-1000.0), torch.tensor(0.0)) == 1000


@pytest.mark.slow
def test_preference_losses_recover_score_differences():
    # Raters prefer i to j with the probability of rewards 0, 1, 2. Shown all
    # comparisons in these proportions, the model finds the differences, though nobody
    # ever said a number.
    gold, count = torch.tensor([0.0, 1.0, 2.0]), 100
    answers = torch.tensor([[2, 3], [2, 4], [2, 5]])
    chosen, rejected = [], []
    for i, j in [(0, 1), (0, 2), (1, 2)]:
        wins = round(count * float(preference_probability(gold[i], gold[j])))
        chosen += [i] * wins + [j] * (count - wins)
        rejected += [j] * wins + [i] * (count - wins)
    model, lengths = ScalarModel(model_of(LLAMA)), torch.full((len(chosen),), 2)
    batches = [(answers[chosen], lengths, answers[rejected], lengths)] * 60
    optimizer = AdamW(model.parameters(), lr=0.01)
    run = {"steps": 60, "schedule": lambda step: 1 - step / 60, "progress": False}
    fit(model, batches, reward_loss, optimizer, **run)
    found = model.score(answers, torch.full((3,), 2)).detach()
    torch.testing.assert_close(found - found[0], gold, atol=0.03, rtol=0)


def test_preference_report_matches_a_count_by_hand(monkeypatch):
    monkeypatch.setattr(preferences, "BINS", 2)
    report = preference_report(
        torch.tensor([2.0, 0.0, 1.0, 1.0]), torch.tensor([1.0, 2.0, 1.0, 0.0])
    )
    assert report.accuracy == (1 + 0 + 0.5 + 1) / 4
    sure = [1 / (1 + math.exp(-difference)) for difference in (1, 2, 0, 1)]
    assert report.loss == pytest.approx(
        -sum(map(math.log, (sure[0], 1 - sure[1], sure[2], sure[3]))) / 4
    )
    # 1/2 to 3/4: the first, the tie, the last; above: the second
    assert report.counts.tolist() == [3, 1]
    assert report.confidence.tolist() == pytest.approx(
        [(sure[0] + sure[2] + sure[3]) / 3, sure[1]]
    )
    assert report.observed.tolist() == pytest.approx([2.5 / 3, 0])
    error = (3 * abs((sure[0] + sure[2] + sure[3]) / 3 - 2.5 / 3) + sure[1]) / 4
    assert report.calibration_error == pytest.approx(error)


@pytest.mark.parametrize("seed", range(3))
def test_preference_report_calibration_error_matches_metrics(seed):
    chosen, rejected = 2 * normal(200, seed=seed), 2 * normal(200, seed=seed + 10)
    probability = preference_probability(chosen, rejected)
    sure, right = probability.maximum(1 - probability), chosen > rejected
    # Ten bins from 0 to 1 there are five from 1/2 to 1 here.
    theirs = expected_calibration_error(sure, right)
    found = preference_report(chosen, rejected).calibration_error
    assert found == pytest.approx(theirs, abs=1e-6)


def test_preference_report_true_rewards_are_calibrated():
    generator = torch.Generator().manual_seed(2)
    a, b = normal(20_000), normal(20_000, seed=1)
    wins = torch.rand(20_000, generator=generator) < preference_probability(a, b)
    chosen, rejected = torch.where(wins, a, b), torch.where(wins, b, a)
    honest = preference_report(chosen, rejected)
    boastful = preference_report(3 * chosen, 3 * rejected)
    assert honest.calibration_error < 0.01
    assert boastful.calibration_error > 0.1
    assert boastful.accuracy == honest.accuracy  # accuracy does not see it
    assert boastful.loss > honest.loss + 0.1  # the loss does


def pairs_that_prefer(token):
    """Seven pairs of one-token answers, in which this token always wins."""
    others = [other for other in range(2, 10) if other != token]
    return EncodedPairs(
        chosen=pad_examples([Example((11, 12), (token,)) for _ in others]),
        rejected=pad_examples([Example((11, 12), (other,)) for other in others]),
    )


def trained(decoder, **settings):
    pairs = pairs_that_prefer(3)
    return train_reward_model(decoder, pairs, batch_size=4, progress=False, **settings)


@pytest.mark.slow
def test_train_reward_model_learns_the_pairs_and_leaves_the_decoder_unchanged():
    decoder, pairs = model_of(LLAMA), pairs_that_prefer(3)
    before = {name: tensor.clone() for name, tensor in decoder.state_dict().items()}
    model = trained(decoder, steps=30, learning_rate=0.01)
    report = judge_reward_model(model, pairs)
    assert report.accuracy == 1
    assert report.loss < 0.1
    assert not model.training
    torch.testing.assert_close(decoder.state_dict(), before, atol=0, rtol=0)
    # Pairs with the opposite preference are all predicted wrongly.
    opposite = EncodedPairs(chosen=pairs.rejected, rejected=pairs.chosen)
    assert judge_reward_model(model, opposite).accuracy == 0


def test_judge_reward_model_reports_an_untrained_model_as_undecided():
    report = judge_reward_model(ScalarModel(model_of(LLAMA)), pairs_that_prefer(3))
    assert report.accuracy == 0.5
    assert report.loss == pytest.approx(math.log(2))


def test_train_reward_model_depends_on_its_seed():
    weights = [
        trained(model_of(LLAMA), steps=2, seed=seed).head.weight for seed in (0, 0, 1)
    ]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
