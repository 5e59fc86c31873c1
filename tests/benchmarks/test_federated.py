"""Federated rounds against central training, their privacy, and a recovered text."""

import math

import pytest
import torch

from benchmarks.federated import (
    FederatedSettings,
    private_average,
    recover_text,
    train_federated,
)
from genai_tutorial.edge import adamw, gradient_of, sgd
from genai_tutorial.training import PrivacySettings, TokenBatches, train_step
from genai_tutorial.transformer import DecoderConfig, DecoderLM, language_model_loss
from tests.edge.models import CONFIGS, disturbed, tokens

RATE = 0.1


def clients(count=3, size=60):
    return [tokens(seed, size) for seed in range(count)]


def test_one_local_step_of_sgd_is_a_central_step_on_all_clients_batches():
    """The average of gradients is the gradient of the average."""
    federated, central = (disturbed(CONFIGS["Llama"]) for _ in range(2))
    shape = FederatedSettings(rounds=3, local_steps=1, batch_size=2, context_length=8)
    texts = clients()
    train_federated(federated, texts, sgd(RATE), shape, seed=4)
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
        train_federated(model, clients(), sgd(RATE), shape, seed=0)
    pairs = zip(often.parameters(), once.parameters(), strict=True)
    largest = max(float((left - right).detach().abs().max()) for left, right in pairs)
    assert 1e-5 < largest < 1e-1


@pytest.mark.slow
def test_train_federated_learns_what_all_clients_share():
    model = DecoderLM(DecoderConfig.fast(13, 16, 16, 1, 2))
    texts = [torch.arange(13).repeat(8).roll(n) for n in range(3)]
    shape = FederatedSettings(20, 5, batch_size=4, context_length=12)
    losses = train_federated(model, texts, adamw(1e-2), shape, seed=0)
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
    losses = train_federated(model, clients(4), counted, shape, seed=0)
    assert 12 < len(present) < 36  # of 48; 24 are expected
    assert all(map(math.isfinite, losses))


@pytest.mark.parametrize("seed", range(3))
def test_recover_text_returns_what_the_model_read(seed):
    model, text = disturbed(CONFIGS["fast"]), tokens(seed, 9)
    found = recover_text(model, gradient_of(model, text), 9)
    assert torch.equal(found, text[:-1])
