"""Federated averaging against central training, and the sum that hides its parts."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.edge import (
    FederatedSettings,
    adamw,
    federated_average,
    local_update,
    private_average,
    sgd,
    train_federated,
)
from genai_tutorial.edge.federated import apply_update
from genai_tutorial.training import PrivacySettings, TokenBatches, train_step
from genai_tutorial.transformer import DecoderConfig, DecoderLM, language_model_loss
from tests.edge.models import CONFIGS, disturbed, tokens

RATE = 0.1


def clients(count=3, size=60):
    return [tokens(seed, size) for seed in range(count)]


def parameters(model):
    return {name: value.detach() for name, value in model.named_parameters()}


def test_federated_average_weights_clients_by_their_texts():
    states = [{"w": torch.tensor([1.0])}, {"w": torch.tensor([4.0])}]
    assert federated_average(states, [2, 1])["w"] == 2
    assert federated_average(states, [0, 5])["w"] == 4


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=5), st.integers(0, 1000))
@settings(max_examples=20)
def test_federated_average_does_not_depend_on_the_unit_or_order(weights, seed):
    generator = torch.Generator().manual_seed(seed)
    states = [{"w": torch.randn(3, generator=generator)} for _ in weights]
    expected = federated_average(states, weights)["w"]
    for other, values in (
        (weights, states),
        ([7 * weight for weight in weights], states),
        (weights[::-1], states[::-1]),
    ):
        torch.testing.assert_close(federated_average(values, other)["w"], expected)


@pytest.mark.parametrize(
    ("states", "weights", "message"),
    [
        ([], [], "at least one"),
        ([{"w": torch.ones(1)}], [1, 2], "as many weights"),
        ([{"w": torch.ones(1)}], [0], "not all 0"),
        ([{"w": torch.ones(1)}, {"w": torch.ones(2)}], [1, 1], "same parameters"),
    ],
)
def test_federated_average_checks_the_clients(states, weights, message):
    with pytest.raises(ValueError, match=message):
        federated_average(states, weights)


def test_one_local_step_of_sgd_is_a_central_step_on_all_clients_batches():
    """The average of gradients is the gradient of the average."""
    federated, central = (disturbed(CONFIGS["Llama"]) for _ in range(2))
    shape = FederatedSettings(rounds=3, local_steps=1, batch_size=2, context_length=8)
    texts = clients()
    train_federated(federated, texts, sgd(RATE), shape, seed=4, progress=False)
    sources = [TokenBatches(text, 8, 2, 4000 + n) for n, text in enumerate(texts)]
    optimizer = torch.optim.SGD(central.parameters(), lr=RATE)
    for _ in range(3):
        batch = [torch.cat(parts) for parts in zip(*map(next, sources), strict=True)]
        train_step(central, batch, language_model_loss, optimizer, clip_norm=None)
    for left, right in zip(federated.parameters(), central.parameters(), strict=True):
        torch.testing.assert_close(left, right, atol=1e-6, rtol=1e-5)


def test_several_local_steps_differ_from_as_many_rounds_of_one():
    """The same batches in the same order, averaged four times or once."""
    often, once = (disturbed(CONFIGS["Llama"]) for _ in range(2))
    for model, rounds in ((often, 4), (once, 1)):
        shape = FederatedSettings(rounds, 4 // rounds, batch_size=2, context_length=8)
        train_federated(model, clients(), sgd(RATE), shape, seed=0, progress=False)
    left, right = parameters(often), parameters(once)
    largest = max(float((left[name] - right[name]).abs().max()) for name in left)
    assert 1e-5 < largest < 1e-1


def test_local_update_leads_from_the_servers_model_to_the_clients():
    model = disturbed(CONFIGS["fast"])
    before = {name: value.clone() for name, value in parameters(model).items()}
    update, first = local_update(
        model, TokenBatches(tokens(0, 60), 8, 4, 0), 3, adamw(1e-2)
    )
    assert all(torch.equal(before[name], parameters(model)[name]) for name in before)
    apply_update(model, update)
    _, later = local_update(model, TokenBatches(tokens(0, 60), 8, 4, 0), 3, adamw(1e-2))
    assert later < first


@pytest.mark.slow
def test_train_federated_learns_what_all_clients_share():
    model = DecoderLM(DecoderConfig.fast(13, 16, 16, 1, 2))
    texts = [torch.arange(13).repeat(8).roll(n) for n in range(3)]
    shape = FederatedSettings(20, 5, batch_size=4, context_length=12)
    losses = train_federated(model, texts, adamw(1e-2), shape, seed=0, progress=False)
    assert len(losses) == 20
    assert losses[0] > 2
    assert losses[-1] < 0.3


def test_private_average_bounds_the_influence_of_one_client():
    """Whatever one client sends, the average moves by the clipping norm at most."""
    privacy = PrivacySettings(clip_norm=0.5, noise_multiplier=0.0, sampling_rate=1.0)
    honest = [{"w": torch.tensor([0.1, 0.0])}] * 3
    with_it = private_average([*honest, {"w": torch.tensor([0.0, 1e6])}], privacy, 4)
    without = private_average(honest, privacy, 4)
    assert float((with_it["w"] - without["w"]).norm()) == pytest.approx(0.5 / 4)


def test_private_average_adds_noise_of_the_stated_size():
    privacy = PrivacySettings(clip_norm=2.0, noise_multiplier=3.0, sampling_rate=0.5)
    generator = torch.Generator().manual_seed(0)
    noisy = private_average([{"w": torch.zeros(20_000)}], privacy, 8, generator)
    assert float(noisy["w"].std()) == pytest.approx(2 * 3 / (0.5 * 8), rel=0.03)


def test_private_rounds_draw_their_clients_at_random():
    shape = FederatedSettings(
        rounds=12,
        local_steps=1,
        batch_size=2,
        context_length=8,
        privacy=PrivacySettings(1.0, 0.0, sampling_rate=0.5),
    )
    present = []

    def counted(model):
        present.append(model)
        return sgd(RATE)(model)

    model = disturbed(CONFIGS["GPT-2"])
    losses = train_federated(model, clients(4), counted, shape, seed=0, progress=False)
    assert 12 < len(present) < 36  # of 48; 24 are expected
    assert all(map(math.isfinite, losses))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rounds": 0}, "at least 1"),
        ({"local_steps": 0}, "at least 1"),
    ],
)
def test_federated_settings_are_checked(change, message):
    with pytest.raises(ValueError, match=message):
        FederatedSettings(**{"rounds": 1, "local_steps": 1} | change)


def test_train_federated_needs_a_client():
    with pytest.raises(ValueError, match="at least one client"):
        train_federated(
            disturbed(CONFIGS["GPT-2"]), [], sgd(RATE), FederatedSettings(1, 1), seed=0
        )
