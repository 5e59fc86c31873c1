"""Per-sample gradients equal a loop over the records; clipping and noise are what the
algorithm says.
"""

import math

import pytest
import torch

from genai_tutorial.training import (
    PrivacySettings,
    clip_and_noise,
    epsilon,
    fit_privately,
    per_sample_gradients,
    poisson_sample,
)
from genai_tutorial.training.private import (
    gradient_norms,
    renyi_divergence_of_sampled_gaussian,
)
from genai_tutorial.transformer import DecoderConfig, DecoderLM, next_token_loss
from tests.drawn import stirred


def loss_fn(model, inputs, targets):
    return next_token_loss(model(inputs), targets)


def disturbed_model():
    """A fresh model has zero outputs: most of its gradients would be zero."""
    model = DecoderLM(DecoderConfig.fast(32, 8, width=16, layers=2, heads=2))
    return stirred(model)


def records(count=6):
    rows = torch.randint(32, (count, 9), generator=torch.Generator().manual_seed(1))
    return rows[:, :-1], rows[:, 1:]


def test_per_sample_gradients_equal_a_loop():
    model, batch = disturbed_model(), records()
    found = per_sample_gradients(model, batch, loss_fn)
    assert found.keys() == dict(model.named_parameters()).keys()
    for row in range(6):
        model.zero_grad()
        loss_fn(model, *(tensor[row : row + 1] for tensor in batch)).backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad.abs().max() > 1e-4
            torch.testing.assert_close(
                found[name][row], parameter.grad, atol=1e-6, rtol=1e-4
            )


def test_frozen_parameters_have_no_gradient():
    model = disturbed_model()
    model.token_embedding.requires_grad_(False)
    found = per_sample_gradients(model, records(), loss_fn)
    assert "token_embedding.weight" not in found
    assert "final_norm.weight" in found


def test_gradient_norms_are_over_all_parameters():
    gradients = {
        "matrix": torch.tensor([[[3.0, 0.0]], [[0.0, 1.0]]]),
        "number": torch.tensor([4.0, 0.0]),
    }
    assert gradient_norms(gradients).tolist() == [5.0, 1.0]


def test_clipping_bounds_what_one_record_adds():
    gradients = per_sample_gradients(disturbed_model(), records(), loss_fn)
    settings = PrivacySettings(0.5, 0.0, 0.1)
    assert (gradient_norms(gradients) > 0.5).all()

    def total(chosen):
        part = {name: gradient[chosen] for name, gradient in gradients.items()}
        return clip_and_noise(part, settings, expected_batch_size=1)

    with_record, without = total([0, 1, 2]), total([0, 1])
    change = torch.cat([(with_record[n] - without[n]).flatten() for n in gradients])
    assert change.norm().item() == pytest.approx(0.5, rel=1e-4)


def test_small_gradients_are_not_scaled_up():
    gradients = {"a": torch.tensor([[0.3, 0.4], [0.0, 0.0], [6.0, 8.0]])}
    found = clip_and_noise(gradients, PrivacySettings(1.0, 0.0, 0.1), 4)
    torch.testing.assert_close(found["a"], torch.tensor([0.9, 1.2]) / 4)


def test_noise_has_the_stated_deviation_whatever_the_batch_holds():
    generator = torch.Generator().manual_seed(0)
    empty = {"a": torch.zeros(0, 20_000)}
    found = clip_and_noise(empty, PrivacySettings(2.0, 1.5, 0.1), 10, generator)["a"]
    assert found.std().item() == pytest.approx(2.0 * 1.5 / 10, rel=0.03)
    assert found.mean().item() == pytest.approx(0, abs=0.01)


def test_poisson_sample_draws_each_record_independently():
    generator = torch.Generator().manual_seed(0)
    sizes = [len(poisson_sample(100, 0.2, generator)) for _ in range(400)]
    mean = sum(sizes) / 400
    variance = sum((size - mean) ** 2 for size in sizes) / 400
    assert mean == pytest.approx(20, abs=0.8)
    assert variance == pytest.approx(16, rel=0.25)
    drawn = poisson_sample(100, 0.5, generator)
    assert len(set(drawn.tolist())) == len(drawn)


@pytest.mark.slow
def test_fit_privately_learns_less_with_more_noise():
    batch = records(60)
    losses = []
    for sigma in (0.0, 20.0):
        model = DecoderLM(DecoderConfig.fast(32, 8, width=16, layers=1, heads=2))
        before = loss_fn(model, *batch).item()
        history = fit_privately(
            model,
            batch,
            loss_fn,
            torch.optim.Adam(model.parameters(), lr=0.01),
            PrivacySettings(1.0, sigma, 0.3),
            steps=30,
            seed=0,
            progress=False,
        )
        losses.append(before - loss_fn(model, *batch).item())
    assert losses[0] > 0.3
    assert losses[1] < losses[0] / 2
    assert len(history.batch_sizes) == len(history.median_norms) == 30
    assert len(set(history.batch_sizes)) > 5


def test_fit_privately_survives_an_empty_batch_and_repeats_by_its_seed():
    weights = []
    for _ in range(2):
        model = disturbed_model()
        history = fit_privately(
            model,
            records(),
            loss_fn,
            torch.optim.SGD(model.parameters(), lr=0.1),
            PrivacySettings(1.0, 0.5, 0.01),
            steps=5,
            seed=3,
            progress=False,
        )
        assert 0 in history.batch_sizes
        weights.append(model.final_norm.weight.detach().clone())
    assert torch.equal(*weights)
    assert not torch.equal(weights[0], disturbed_model().final_norm.weight)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0, 1.0, 0.1), "clip_norm must be above 0"),
        ((1.0, -1.0, 0.1), "noise_multiplier 0 or more"),
        ((1.0, 1.0, 0.0), "sampling_rate above 0 and at most 1, got .*rate=0.0"),
        ((math.inf, 1.0, 0.1), "needs a finite one"),
    ],
)
def test_privacy_settings_reject_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        PrivacySettings(*arguments)


def test_divergence_without_sampling_is_that_of_two_gaussians():
    for order in (2, 5, 32):
        found = renyi_divergence_of_sampled_gaussian(1.0, 1.5, order)
        assert found == pytest.approx(order / (2 * 1.5**2))
        near = renyi_divergence_of_sampled_gaussian(1 - 1e-9, 1.5, order)
        assert near == pytest.approx(found, rel=1e-6)


def test_epsilon_without_noise_is_infinite_and_without_steps_small():
    assert epsilon(0.02, 0, 300, 1e-5) == math.inf
    assert epsilon(0.02, 0, 0, 1e-5) == 0
    assert epsilon(0.0, 1.0, 300, 1e-5) < 0.2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1.1, 1.0, 10, 1e-5), r"got 10, 1.0, 1e-05 and 1\.1"),
        ((0.1, -1.0, 10, 1e-5), r"must be 0 or more, .*got 10, -1\.0"),
        ((0.1, 1.0, -1, 1e-5), "steps and noise_multiplier must be 0 or more.*got -1"),
        ((0.1, 1.0, 10, 1.0), "delta between 0 and 1"),
    ],
)
def test_epsilon_rejects_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        epsilon(*arguments)
