import json
from dataclasses import asdict

import pytest
import torch

from genai_tutorial.gan import (
    NON_SATURATING,
    BatchDiscriminator,
    DigitDiscriminator,
    DigitGANConfig,
    DigitGenerator,
    PointDiscriminator,
    PointGenerator,
    SideBySide,
    squared_slopes,
)
from genai_tutorial.gan.networks import MinibatchDeviation, multilayer_perceptron
from tests.drawn import normal

SMALL = DigitGANConfig(latent=4, generator_widths=(16,), discriminator_widths=(16, 8))


@pytest.mark.parametrize(
    "build",
    [
        lambda seed: PointGenerator(seed=seed),
        lambda seed: PointDiscriminator(seed=seed),
        lambda seed: BatchDiscriminator(seed=seed),
        lambda seed: DigitGenerator(SMALL, seed=seed),
        lambda seed: DigitDiscriminator(SMALL, seed=seed),
    ],
)
def test_initial_weights_depend_on_the_seed_only(build):
    torch.manual_seed(1)
    first = build(0).state_dict()
    torch.manual_seed(2)  # the global seed must not matter
    again, reseeded = build(0).state_dict(), build(1).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], reseeded[name]) for name in first)


def test_initial_weights_preserve_the_variance():
    net = multilayer_perceptron((1000, 1000, 1000, 1), torch.Generator().manual_seed(1))
    x = torch.randn(64, 1000, generator=torch.Generator().manual_seed(0))
    # mean square after each linear layer
    sizes = [net[:depth](x).square().mean().item() for depth in (1, 3)]
    # twice that of the input; ReLU then removes half
    assert sizes == pytest.approx([2, 2], rel=0.1)


def test_point_networks_accept_one_dimension():
    assert PointGenerator(latent=3, dim=1)(torch.randn(5, 3)).shape == (5, 1)
    assert PointDiscriminator(dim=1)(torch.randn(5, 1)).shape == (5,)


def test_digit_generator_outputs_lie_between_0_and_1():
    images = DigitGenerator(SMALL)(5 * torch.randn(6, 4), torch.arange(6))
    assert images.shape == (6, 28, 28)
    assert 0 <= images.min() < images.max() <= 1


def test_label_changes_the_image_and_the_score():
    z = torch.ones(2, 4)
    images = DigitGenerator(SMALL)(z, torch.tensor([1, 7]))
    assert (images[0] - images[1]).abs().max() > 0.01
    same = images[:1].expand(2, 28, 28)
    scores = DigitDiscriminator(SMALL)(same, torch.tensor([1, 7]))
    assert (scores[0] - scores[1]).abs() > 1e-4


def test_digit_discriminator_scores_are_independent_across_the_batch():
    discriminator = DigitDiscriminator(SMALL)
    images, labels = torch.rand(4, 28, 28), torch.arange(4)
    torch.testing.assert_close(
        discriminator(images, labels)[:1], discriminator(images[:1], labels[:1])
    )
    assert squared_slopes(discriminator, images, labels).shape == (4,)


def test_minibatch_deviation_of_a_collapsed_batch_has_a_gradient():
    rows = torch.ones(8, 2, requires_grad=True)
    MinibatchDeviation()(rows).sum().backward()
    assert rows.grad.isfinite().all()


def test_config_survives_json():
    config = DigitGANConfig(generator_widths=(8, 9))
    assert DigitGANConfig(**json.loads(json.dumps(asdict(config)))) == config


def train(generator, discriminator, real, noise, count, steps=8):
    """Take alternating steps of gradient descent; `count` undoes the mean over the
    networks.
    """
    g, d = (
        torch.optim.SGD(player.parameters(), lr=0.05 * count)
        for player in (generator, discriminator)
    )
    for _ in range(steps):
        d.zero_grad()
        scores = discriminator(real), discriminator(generator(noise).detach())
        NON_SATURATING.discriminator(*scores).backward()
        d.step()
        g.zero_grad()
        NON_SATURATING.generator(discriminator(generator(noise))).backward()
        g.step()
    with torch.no_grad():
        return generator(noise)


@pytest.mark.parametrize(
    "build", [PointGenerator, PointDiscriminator, BatchDiscriminator]
)
def test_side_by_side_outputs_equal_those_of_each_network(build):
    networks = [build(seed=seed) for seed in range(3)]
    x = normal(7, 3, 2)
    alone = torch.stack([net(x[:, i]) for i, net in enumerate(networks)], dim=1)
    together = SideBySide(networks)(x)
    torch.testing.assert_close(together.view_as(alone), alone)
    torch.testing.assert_close(SideBySide(networks)(x.flatten(1)), together)


@pytest.mark.parametrize("judge", [PointDiscriminator, BatchDiscriminator])
def test_side_by_side_training_equals_training_each_game_alone(judge):
    real, noise = normal(16, 2, 2, seed=1), normal(16, 2, 2, seed=2)
    alone = [
        train(PointGenerator(seed=i), judge(seed=9 + i), real[:, i], noise[:, i], 1)
        for i in range(2)
    ]
    generators = SideBySide([PointGenerator(seed=i) for i in range(2)])
    judges = SideBySide([judge(seed=9 + i) for i in range(2)])
    together = train(generators, judges, real, noise, count=2)
    torch.testing.assert_close(
        together, torch.stack(alone, dim=1), rtol=1e-4, atol=1e-5
    )
    untrained = PointGenerator(seed=0)(noise[:, 0])
    assert (together[:, 0] - untrained).abs().max() > 0.01  # training changed it


def test_side_by_side_leaves_the_original_networks_unchanged():
    network = PointGenerator(seed=0)
    before = network.net[0].weight.clone()
    pair = SideBySide([network, PointGenerator(seed=1)])
    with torch.no_grad():
        for weight in pair.parameters():
            weight.zero_()
    assert torch.equal(network.net[0].weight, before)
    assert pair(normal(4, 4)).abs().max() == 0


def test_side_by_side_counts_the_noise_of_all_networks():
    pair = SideBySide([PointGenerator(latent=3, seed=seed) for seed in range(2)])
    assert pair.latent == 6
    assert pair(normal(5, 6)).shape == (5, 2, 2)
