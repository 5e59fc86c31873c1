"""Verifiers, and the score that they give to rollouts."""

import copy

import pytest
import torch

from genai_tutorial.alignment import (
    DAPO,
    GRPO,
    RLOO,
    DrGRPO,
    ExactAnswer,
    GRPOSettings,
    appears_anywhere,
    learn_by_grpo,
)
from tests.alignment.models import END
from tests.alignment.toy import PROMPTS, reference_of


@pytest.mark.parametrize(
    ("answer", "reward"),
    [
        ("991", 1.0),
        ("34,511;991", 1.0),
        ("991;34", 0.0),
        ("991;991", 1.0),
        ("1;2;991", 0.0),
        (" 991", 0.0),
        ("", 0.0),
    ],
)
def test_exact_answer_reads_one_final_answer(answer, reward):
    assert ExactAnswer()(answer, "991") == reward


def test_appears_anywhere_passes_a_list_of_guesses():
    guesses = ",".join(map(str, range(1000)))
    assert appears_anywhere(guesses, "991") == 1.0
    assert ExactAnswer()(guesses, "991") == 0.0


def decode(ids):
    return "".join(map(str, ids))


TRUTHS = ["2", "33"]


def right(answer, truth):
    return float(answer == truth)


def never(answer, truth):
    return 0.0


SMALL = {"steps": 3, "batch_size": 4, "group_size": 4, "learning_rate": 0.01}


def learn(verifier=right, method=None, reference=None, truths=TRUTHS, **changed):
    reference = reference or reference_of(0)
    settings = GRPOSettings(max_new_tokens=2, **SMALL | changed)
    run = {"decode": decode, "end_token": END, "progress": False}
    run["method"] = method or GRPO()
    return learn_by_grpo(reference, PROMPTS, truths, verifier, settings, **run)


@pytest.mark.slow
@pytest.mark.parametrize(
    "method", [GRPO(), DrGRPO(2), DAPO(), RLOO()], ids=lambda m: type(m).__name__
)
def test_learn_by_grpo_raises_the_reward(method):
    _, history = learn(method=method, steps=40, batch_size=16, group_size=8)
    assert history[-1].reward > history[0].reward + 0.4


@pytest.mark.slow
def test_learn_by_grpo_updates_several_times_on_the_same_answers():
    policies = [learn(steps=1, passes=passes)[0] for passes in (1, 2)]
    histories = [learn(steps=1, passes=passes)[1] for passes in (1, 2)]
    assert histories[0][0].reward == histories[1][0].reward
    one, two = (policy.head.weight for policy in policies)
    assert not torch.equal(one, two)


@pytest.mark.slow
def test_learn_by_grpo_does_not_change_the_reference():
    reference = reference_of(0)
    before = copy.deepcopy(reference.state_dict())
    policy, history = learn(reference=reference, steps=2)
    assert len(history) == 2
    assert all(torch.equal(a, before[n]) for n, a in reference.state_dict().items())
    assert any(not torch.equal(a, before[n]) for n, a in policy.state_dict().items())


def test_learn_by_grpo_with_no_reward_has_only_dead_groups_and_changes_nothing():
    policy, history = learn(never)
    assert [step.dead for step in history] == [1.0] * 3
    assert [step.loss for step in history] == [0.0] * 3
    before = reference_of(0).state_dict()
    assert all(torch.equal(a, before[n]) for n, a in policy.state_dict().items())


def test_learn_by_grpo_samples_again_for_dead_groups():
    _, once = learn(never, steps=1)
    _, often = learn(never, steps=1, sampling_rounds=3)
    assert (once[0].answers, often[0].answers) == (16, 48)


def test_learn_by_grpo_stops_sampling_when_enough_groups_can_teach():
    def coin(answer, truth):
        return float(len(answer))

    _, history = learn(coin, steps=1, sampling_rounds=50, group_size=16)
    assert history[0].answers < 50 * 4 * 16


def test_learn_by_grpo_is_reproducible():
    (one, first), (other, second) = learn(), learn()
    assert first == second
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)


def test_learn_by_grpo_needs_a_truth_for_each_prompt():
    with pytest.raises(ValueError, match="2 prompts and 1 truths"):
        learn(truths=TRUTHS[:1])


@pytest.mark.parametrize(
    "name", ["steps", "batch_size", "group_size", "max_new_tokens", "sampling_rounds"]
)
def test_group_learning_settings_reject_zero(name):
    with pytest.raises(ValueError, match=name):
        GRPOSettings(**{"steps": 1} | {name: 0})
