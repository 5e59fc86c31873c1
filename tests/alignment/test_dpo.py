import math
from itertools import combinations, permutations

import pytest
import torch

from genai_tutorial.alignment import (
    EncodedPairs,
    Example,
    best_of_n,
    best_of_n_kl,
    dpo_losses,
    learn_by_dpo,
    pad_examples,
)
from genai_tutorial.alignment.preferences import preference_probability
from tests.alignment.models import LLAMA, model_of, normal


@pytest.mark.parametrize("beta", [0.3, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_dpo_reaches_the_optimal_policy_from_exact_preferences(seed, beta):
    # Every pair of answers, each preferred as often as Bradley and Terry say: DPO finds
    # what PPO looks for, π_ref exp(r / β) / Z, and never sees a reward.
    rewards, reference = normal(6, seed=seed), normal(6, seed=seed + 10).log_softmax(0)
    first, second = torch.tensor(list(permutations(range(6), 2))).T
    share = preference_probability(rewards[first], rewards[second])
    scores = torch.zeros(6, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [scores], max_iter=200, tolerance_grad=1e-9, tolerance_change=1e-12
    )

    def loss():
        optimizer.zero_grad()
        policy = scores.log_softmax(0)
        value = share @ dpo_losses(
            policy[first], policy[second], reference[first], reference[second], beta
        )
        value.backward()
        return value

    optimizer.step(loss)
    best = (reference + rewards / beta).softmax(0)
    torch.testing.assert_close(scores.detach().softmax(0), best, atol=1e-3, rtol=0)


def test_dpo_beta_must_be_positive():
    with pytest.raises(ValueError, match="beta must be above 0"):
        dpo_losses(*normal(4, 2), beta=0)


def test_learn_by_dpo_prefers_the_chosen_answers_and_keeps_the_reference():
    reference = model_of(LLAMA)
    before = {name: tensor.clone() for name, tensor in reference.state_dict().items()}
    pairs = EncodedPairs(
        chosen=pad_examples([Example((11, 12), (3,)) for _ in range(6)]),
        rejected=pad_examples([Example((11, 12), (4 + k, 2)) for k in range(6)]),
    )
    watched = []
    watch = {"watch": lambda done, model: watched.append(done), "watch_every": 4}
    policy, losses = learn_by_dpo(
        reference, pairs, 8, batch_size=4, learning_rate=0.01, **watch
    )
    assert losses[0] == pytest.approx(math.log(2), abs=1e-5)
    assert losses[-1] < 0.5
    assert watched == [4, 8]
    assert not policy.training
    torch.testing.assert_close(reference.state_dict(), before, atol=0, rtol=0)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 7])
def test_best_of_n_equals_the_mean_over_all_subsets(n):
    generator = torch.Generator().manual_seed(n)
    scores, values = torch.randn(2, 3, 7, generator=generator, dtype=torch.float64)
    for row in range(3):
        best = [
            float(values[row, max(subset, key=lambda place: float(scores[row, place]))])
            for subset in combinations(range(7), n)
        ]
        expected = sum(best) / len(best)
        assert best_of_n(scores, values, n)[row] == pytest.approx(expected)


@pytest.mark.parametrize("n", [1, 2, 8, 100])
def test_best_of_n_kl_is_that_of_a_continuous_score(n):
    """The best of n uniform scores has the density n u^(n - 1): integrate its log."""
    u = (torch.arange(1_000_000, dtype=torch.float64) + 0.5) / 1_000_000
    density = n * u ** (n - 1)
    kl = float((density * density.log()).nan_to_num().mean())
    assert best_of_n_kl(n) == pytest.approx(kl, abs=1e-4)


def test_best_of_n_keeps_the_dtype_and_handles_many_samples():
    scores = torch.arange(256.0)[None]
    assert best_of_n(scores, scores, 256).tolist() == [255.0]
    assert best_of_n(scores, scores, 1).dtype == torch.float32
    assert best_of_n(scores, scores, 1)[0] == pytest.approx(127.5)


@pytest.mark.parametrize("n", [0, 4])
def test_best_of_n_arguments_are_validated(n):
    with pytest.raises(ValueError, match="n must be from 1"):
        best_of_n(torch.zeros(1, 3), torch.zeros(1, 3), n)
    with pytest.raises(ValueError, match="n must be at least 1"):
        best_of_n_kl(-n)
    assert math.isclose(best_of_n_kl(1), 0)
