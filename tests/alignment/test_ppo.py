import copy
import dataclasses

import pytest
import torch

from genai_tutorial.alignment import (
    Experience,
    LearningSettings,
    PPOSettings,
    ScalarModel,
    clipped_policy_loss,
    gather_experience,
    learn_by_ppo,
    ppo_loss,
    ppo_update,
    token_log_probs,
)
from genai_tutorial.generation import generate_rollouts
from genai_tutorial.training import AdamW
from tests.alignment.models import END, LLAMA, Table, model_of, normal
from tests.alignment.toy import (
    ANSWERS,
    BETA,
    PROMPTS,
    best_policies,
    distance,
    policy_of,
    reference_of,
    rewards_of,
    score_of,
)


def test_policy_gradient_is_that_of_the_expected_reward():
    # A bandit with three arms of probability 1/2, 1/4, 1/4, each drawn exactly as
    # often: the mean is the expectation.
    arms, rewards = torch.tensor([0, 0, 1, 2]), torch.tensor([1.0, 5.0, -2.0])
    start = torch.tensor([0.5, 0.25, 0.25]).log()
    scores = start.clone().requires_grad_()
    (scores.softmax(0) @ rewards).backward()
    # what is expected anyway changes nothing on average
    for baseline in (0.0, 1.25, -7.0):
        table, mask = Table(start), torch.ones(4, 1, dtype=torch.bool)
        log_probs = token_log_probs(table, torch.stack((0 * arms, arms), dim=1))
        advantages = (rewards[arms] - baseline)[:, None]
        ratio = (log_probs - log_probs.detach()).exp()
        clipped_policy_loss(ratio, advantages, mask, 0.2).backward()
        torch.testing.assert_close(-table.scores.grad, scores.grad)


def with_values(seed=5):
    model = ScalarModel(model_of(LLAMA, seed))
    with torch.no_grad():
        model.head.weight.copy_(normal(*model.head.weight.shape, seed=seed))
    return model


def rollouts_of(policy, count=3, new=6, seed=0):
    prompts = [[2, 3, 4], [5], [6, 7], [8, 8, 8, 8]] * count
    generator = torch.Generator().manual_seed(seed)
    return generate_rollouts(policy, prompts, new, end_token=END, generator=generator)


def experience_of(policy, seed=0):
    rollouts = rollouts_of(policy, seed=seed)
    return gather_experience(
        rollouts, model_of(LLAMA, 7), with_values(), normal(12, seed=seed), 0.1
    )


def learners(kind=AdamW, lr=0.003):
    """Return a policy, a value model and an optimizer of both."""
    policy, value_model = model_of(LLAMA), with_values()
    return (
        policy,
        value_model,
        kind([*policy.parameters(), *value_model.parameters()], lr),
    )


def test_ppo_loss_before_the_first_update_has_ratio_one():
    policy, value_model, _ = learners()
    loss, figures = ppo_loss(
        policy, value_model, experience_of(policy), PPOSettings(value_weight=0)
    )
    policy_loss, _, undecided, held, step_kl = figures.tolist()
    assert policy_loss == pytest.approx(0, abs=1e-5)  # the mean of whitened advantages
    assert step_kl == pytest.approx(0, abs=1e-6)
    assert held == 0
    assert 0 < undecided < 2.57
    assert loss.item() == pytest.approx(policy_loss)


def test_entropy_bonus_raises_the_entropy():
    entropies = []
    for weight in (0.0, 10.0):
        policy, value_model, optimizer = learners()
        settings = PPOSettings(epochs=10, minibatches=1, entropy_weight=weight)
        experience = experience_of(policy)
        ppo_update(policy, value_model, optimizer, experience, settings)
        _, figures = ppo_loss(policy, value_model, experience, settings)
        entropies.append(figures[2].item())
    assert entropies[1] > entropies[0] + 0.1


def test_ppo_update_raises_good_choices_and_fits_the_values():
    policy, value_model, optimizer = learners()
    experience, settings = experience_of(policy), PPOSettings(value_clip=100.0)
    before = ppo_loss(policy, value_model, experience, settings)[1]
    generator = torch.Generator().manual_seed(0)
    ppo_update(policy, value_model, optimizer, experience, settings, generator)
    after = ppo_loss(policy, value_model, experience, settings)[1]
    assert after[0] < before[0] - 0.05
    assert after[1] < 0.9 * before[1]
    change = token_log_probs(policy, experience.ids).detach() - experience.log_probs
    good, bad = experience.advantages > 0.5, experience.advantages < -0.5
    assert change[good].mean() > 0.02 > -0.02 > change[bad].mean()


@pytest.mark.parametrize("count", [2, 3, 12, 50])
def test_ppo_micro_batches_do_not_change_the_update(count):
    """Accumulated gradients of the parts of a minibatch are those of the whole."""
    updated = []
    for micro_batches in (1, count):
        models = learners(torch.optim.SGD, lr=0.1)
        settings = PPOSettings(epochs=2, minibatches=1, micro_batches=micro_batches)
        generator = torch.Generator().manual_seed(0)
        report = ppo_update(*models, experience_of(models[0]), settings, generator)
        updated.append((models[0].state_dict(), vars(report)))
    (whole, report), (parts, same) = updated
    for name, weights in whole.items():
        assert torch.allclose(weights, parts[name], atol=1e-5), name
    assert same == pytest.approx(report, abs=1e-4)


@pytest.mark.slow
def test_ppo_update_is_reproducible():
    results = []
    for seed in (0, 0, 1):
        models, generator = learners(), torch.Generator().manual_seed(seed)
        ppo_update(*models, experience_of(models[0]), PPOSettings(), generator)
        results.append(models[0].token_embedding.weight.detach())
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_ppo_settings_are_validated():
    for name in ("epochs", "minibatches", "clip", "value_clip", "clip_norm"):
        with pytest.raises(ValueError, match=name):
            PPOSettings(**{name: 0})
    models = learners()
    with pytest.raises(ValueError, match="12 answers cannot be split into 13"):
        ppo_update(*models, experience_of(models[0]), PPOSettings(minibatches=13))


def test_experience_rows_select_whole_answers():
    experience = experience_of(model_of(LLAMA))
    part = experience.rows(torch.tensor([3, 1]))
    for field in dataclasses.fields(Experience):
        rows = (getattr(one, field.name)[1] for one in (part, experience))
        assert torch.equal(*rows)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_ppo_finds_the_optimal_policy(seed):
    # With a price β on each nat, the best policy is π_ref(y) exp(r(y) / β) / Z, and
    # what a policy fails to earn is β times its distance from that one. PPO is told
    # neither.
    reference, rewards = reference_of(seed), rewards_of(seed)
    best = best_policies(reference, rewards)
    kept = copy.deepcopy(reference.state_dict())
    policy, value_model = copy.deepcopy(reference), ScalarModel(reference)
    parameters = [*policy.parameters(), *value_model.parameters()]
    generator = torch.Generator().manual_seed(seed)
    optimizer, steps = AdamW(parameters, lr=0.01, betas=(0.9, 0.95)), 40
    settings = PPOSettings(
        epochs=2, minibatches=2, value_weight=1.0, value_clip=100.0, decay=1.0
    )
    score = score_of(rewards)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 0.01 * (1 - step / steps)
        rollouts = generate_rollouts(
            policy, PROMPTS * 128, 2, end_token=END, generator=generator
        )
        experience = gather_experience(
            rollouts, reference, value_model, score(rollouts), BETA, 1.0, settings.decay
        )
        ppo_update(policy, value_model, optimizer, experience, settings, generator)
    far, near = distance(reference, best), distance(policy, best)
    assert far > 0.1
    assert near < 0.1 * far
    for prompt in PROMPTS:
        earned, start = (policy_of(m, prompt).detach() for m in (policy, reference))
        net = float(earned.exp() @ (rewards[prompt] - BETA * (earned - start)))
        most = float(BETA * (start + rewards[prompt] / BETA).logsumexp(0))
        assert most - 0.1 < net <= most + 1e-5
        assert len(earned) == len(ANSWERS)
    torch.testing.assert_close(reference.state_dict(), kept, atol=0, rtol=0)


FAST = PPOSettings(epochs=2, minibatches=2, value_weight=1.0, value_clip=100.0)


def learn(reference=None, values=None, prompts=PROMPTS, seed=0, watch=None, **changed):
    reference = reference or reference_of(0)
    numbers = {"steps": 2, "batch_size": 64, "max_new_tokens": 2, "learning_rate": 0.01}
    settings = LearningSettings(**numbers | changed, ppo=FAST)
    run = {"end_token": END, "seed": seed, "watch": watch, "progress": False}
    values, score = values or ScalarModel(reference), score_of(rewards_of(0))
    return learn_by_ppo(reference, values, prompts, score, settings, **run)


@pytest.mark.slow
def test_learn_by_ppo_raises_scores_at_a_kl_price():
    _, free = learn(steps=12, kl_weight=0.0)
    _, dear = learn(steps=12, kl_weight=3.0)
    assert free[-1].score > free[0].score + 0.5
    assert free[-1].kl > 3 * dear[-1].kl
    assert free[-1].score > dear[-1].score


@pytest.mark.slow
def test_learn_by_ppo_adapts_the_kl_weight():
    _, near = learn(steps=12, kl_weight=0.1, kl_target=0.01)
    _, far = learn(steps=12, kl_weight=0.1, kl_target=50.0)
    assert near[-1].kl_weight > 0.1 > far[-1].kl_weight


def test_learn_by_ppo_does_not_change_its_inputs():
    reference = reference_of(0)
    values = ScalarModel(reference)
    before = copy.deepcopy([reference.state_dict(), values.state_dict()])
    policy, _ = learn(reference, values, batch_size=8)
    after = [reference.state_dict(), values.state_dict()]
    torch.testing.assert_close(after, before, atol=0, rtol=0)
    assert not torch.equal(policy.head.weight, reference.head.weight)


def test_learn_by_ppo_is_reproducible():
    one, again, other = (learn(seed=seed)[0].head.weight for seed in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_learn_by_ppo_calls_watch_before_the_first_step():
    seen = []

    def watch(step, policy):
        seen.append((step, policy.head.weight.detach().clone()))

    learn(batch_size=8, watch=watch)
    assert [step for step, _ in seen] == [0, 1, 2]
    assert torch.equal(seen[0][1], reference_of(0).head.weight)
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
    with pytest.raises(ValueError, match="at least one prompt, got none"):
        learn(prompts=[])
