"""The training loop of PPO on a toy task."""

import copy

import pytest
import torch

from genai_tutorial.alignment import (
    LearningSettings,
    PPOSettings,
    ScalarModel,
    learn_by_ppo,
)
from tests.alignment.models import END
from tests.alignment.toy import PROMPTS, reference_of, rewards_of, score_of

FAST = PPOSettings(epochs=2, minibatches=2, value_weight=1.0, value_clip=100.0)


def learn(seed=0, steps=12, **changed):
    reference = reference_of(0)
    settings = LearningSettings(
        steps, batch_size=64, max_new_tokens=2, learning_rate=0.01, ppo=FAST, **changed
    )
    return learn_by_ppo(
        reference,
        ScalarModel(reference),
        PROMPTS,
        score_of(rewards_of(0)),
        settings,
        end_token=END,
        seed=seed,
        progress=False,
    )


@pytest.mark.slow
def test_learn_by_ppo_raises_scores_at_a_kl_price():
    _, free = learn(kl_weight=0.0)
    _, dear = learn(kl_weight=3.0)
    assert free[-1].score > free[0].score + 0.5
    assert free[-1].kl > 3 * dear[-1].kl
    assert free[-1].score > dear[-1].score


@pytest.mark.slow
def test_learn_by_ppo_adapts_the_kl_weight():
    _, near = learn(kl_weight=0.1, kl_target=0.01)
    _, far = learn(kl_weight=0.1, kl_target=50.0)
    assert near[-1].kl_weight > 0.1 > far[-1].kl_weight


def test_learn_by_ppo_does_not_change_its_inputs():
    reference, rewards = reference_of(0), rewards_of(0)
    values = ScalarModel(reference)
    before = copy.deepcopy([reference.state_dict(), values.state_dict()])
    settings = LearningSettings(2, 8, 2, 0.01, ppo=FAST)
    policy, _ = learn_by_ppo(
        reference,
        values,
        PROMPTS,
        score_of(rewards),
        settings,
        end_token=END,
        progress=False,
    )
    for model, kept in zip((reference, values), before, strict=True):
        assert all(
            torch.equal(weight, kept[name])
            for name, weight in model.state_dict().items()
        )
    assert not torch.equal(
        policy.token_embedding.weight, reference.token_embedding.weight
    )


def test_learn_by_ppo_is_reproducible():
    one, again, other = (
        learn(seed, steps=3)[0].token_embedding.weight for seed in (0, 0, 1)
    )
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_learn_by_ppo_calls_watch_before_the_first_step():
    seen, reference = [], reference_of(0)
    learn_by_ppo(
        reference,
        ScalarModel(reference),
        PROMPTS,
        score_of(rewards_of(0)),
        LearningSettings(2, 8, 2, ppo=FAST),
        end_token=END,
        progress=False,
        watch=lambda step, policy: seen.append(
            (step, policy.token_embedding.weight.detach().clone())
        ),
    )
    assert [step for step, _ in seen] == [0, 1, 2]
    assert torch.equal(seen[0][1], reference.token_embedding.weight)
    assert not torch.equal(seen[1][1], seen[2][1])


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"steps": 0}, "steps must be at least 1"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"kl_weight": -1}, "must not be negative"),
        ({"kl_target": 0}, "kl_target above 0 or None"),
    ],
)
def test_learning_settings_are_validated(changed, said):
    with pytest.raises(ValueError, match=said):
        LearningSettings(**({"steps": 1} | changed))


def test_learn_by_ppo_needs_prompts():
    reference = reference_of(0)
    with pytest.raises(ValueError, match="at least one prompt, got none"):
        learn_by_ppo(
            reference,
            ScalarModel(reference),
            [],
            lambda _: torch.zeros(0),
            LearningSettings(1),
            end_token=END,
        )
