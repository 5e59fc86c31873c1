import copy

import pytest
import torch

from genai_tutorial.alignment import (
    GRPOSettings,
    group_relative_advantages,
    grpo_step,
    token_log_probs,
)
from genai_tutorial.alignment.grpo import grpo_loss, grpo_update
from genai_tutorial.generation import generate_rollouts
from genai_tutorial.training import AdamW
from genai_tutorial.transformer import DecoderConfig, DecoderLM
from tests.alignment.models import END, LLAMA, model_of, normal


@pytest.mark.parametrize("seed", range(3))
def test_grpo_loss_equals_a_slow_computation(seed):
    new, old, reference = (0.5 * normal(4, 5, seed=10 * seed + n) for n in range(3))
    advantages, mask = normal(4, seed=seed + 50), normal(4, 5, seed=seed + 90) > 0
    mask[:, 2] = True
    answers = []
    for row in range(4):
        gains = []
        for step in [step for step in range(5) if mask[row, step]]:
            at, advantage = (row, step), float(advantages[row])
            ratio = float((new[at] - old[at]).exp())
            clipped = max(0.8, min(ratio, 1.2))
            apart = float(reference[at] - new[at])
            kl = float(torch.tensor(apart).exp()) - apart - 1
            gains.append(min(ratio * advantage, clipped * advantage) - 0.3 * kl)
        # a long answer weighs as much as a short one
        answers.append(sum(gains) / len(gains))
    found = grpo_loss(new, old, reference, advantages, mask, 0.2, 0.3)
    assert float(found) == pytest.approx(-sum(answers) / 4, abs=1e-5)


def test_group_relative_advantages_stay_within_the_group():
    easy, hard = (
        torch.tensor([10.0, 11.0, 9.0, 10.0]),
        torch.tensor([0.0, 1.0, -1.0, 0.0]),
    )
    found = group_relative_advantages(torch.stack((easy, hard)))
    torch.testing.assert_close(found[0], found[1])
    torch.testing.assert_close(found.mean(dim=1), torch.zeros(2))
    torch.testing.assert_close(found.std(dim=1), torch.ones(2), atol=1e-3, rtol=0)


def test_group_relative_advantages_epsilon_defaults_to_trls():
    scores = 1e-4 * torch.tensor([[1.0, 0.0, -1.0]])  # a standard deviation of 1e-4
    for arguments, expected in (
        ((), 0.5),
        ((1e-4,), 0.5),
        ((1e-9,), 1.0),
        ((3e-4,), 0.25),
    ):
        found = group_relative_advantages(scores, *arguments)
        torch.testing.assert_close(
            found, expected * torch.tensor([[1.0, 0.0, -1.0]]), atol=1e-4, rtol=0
        )
    for wrong in (0, -1e-4, float("nan")):
        with pytest.raises(ValueError, match=f"epsilon must be above 0.*got {wrong}"):
            group_relative_advantages(scores, epsilon=wrong)


def test_group_relative_advantages_of_equal_scores_are_zero():
    assert not group_relative_advantages(torch.ones(3, 4)).any()


def test_grpo_kl_weight_zero_ignores_the_reference():
    new, old, mask = (
        normal(2, 3),
        normal(2, 3, seed=1),
        torch.ones(2, 3, dtype=torch.bool),
    )
    losses = [
        grpo_loss(new, old, normal(2, 3, seed=seed), normal(2), mask, 0.2, 0)
        for seed in (2, 3)
    ]
    assert losses[0] == losses[1]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_grpo_update_raises_probabilities_of_right_answers():
    policy, settings = (
        model_of(LLAMA),
        GRPOSettings(epochs=2, minibatches=2, kl_weight=0.0),
    )
    rollouts = generate_rollouts(
        policy, [[2, 3], [4]] * 6, 5, end_token=END, generator=seeded()
    )
    advantages = torch.tensor([1.0, -1.0] * 6)
    optimizer = AdamW(policy.parameters(), lr=0.002)
    grpo_update(policy, policy, optimizer, rollouts, advantages, settings, seeded())
    change = token_log_probs(policy, rollouts.ids).detach() - rollouts.log_probs
    assert change[rollouts.mask & (advantages[:, None] > 0)].mean() > 0.02
    assert change[rollouts.mask & (advantages[:, None] < 0)].mean() < -0.02


def successor(rollouts):
    """Checks an answer: 1 for the digit after the prompt's, and no more; 0 for anything
    else.
    """
    asked = rollouts.ids[:, 0].tolist()
    return torch.tensor(
        [
            float(answer == [ask + 1])
            for ask, answer in zip(asked, rollouts.answers(), strict=True)
        ]
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_grpo_learns_to_count_from_a_verifiable_reward(seed):
    prompts = [[digit] for digit in range(2, 8)]
    policy = DecoderLM(DecoderConfig.llama(9, 4, 16, 1, 2, 2, 32), seed)
    reference, optimizer = copy.deepcopy(policy), AdamW(policy.parameters(), lr=0.01)
    settings = GRPOSettings(group_size=32, kl_weight=0.01)
    rates = [
        grpo_step(policy, reference, optimizer, prompts, successor, settings,
                  max_new_tokens=2, end_token=END, generator=generator).mean().item()
        for generator in [seeded(seed)] for _ in range(60)
    ]  # fmt: skip
    assert rates[0] < 0.06  # by chance 1/81
    greedy = generate_rollouts(policy, prompts, 2, end_token=END, temperature=0)
    assert successor(greedy).mean() == 1
    assert sum(rates[-10:]) / 10 > 0.8


def test_grpo_settings_are_validated():
    for name, value in [
        ("group_size", 1),
        ("epochs", 0),
        ("minibatches", 0),
        ("clip", 0),
        ("clip_norm", 0),
    ]:
        with pytest.raises(ValueError, match=name):
            GRPOSettings(**{name: value})
    with pytest.raises(ValueError, match="Each row needs an answer"):
        grpo_loss(
            *normal(3, 2, 3), normal(2), torch.zeros(2, 3, dtype=torch.bool), 0.2, 0.1
        )
    policy = model_of(LLAMA)
    rollouts = generate_rollouts(policy, [[2]], 3, end_token=END, generator=seeded())
    with pytest.raises(ValueError, match="1 answers cannot be split into 2"):
        grpo_update(
            policy,
            policy,
            AdamW(policy.parameters()),
            rollouts,
            normal(1),
            GRPOSettings(minibatches=2),
        )
