import pytest
import torch

from genai_tutorial.gan import (
    NON_SATURATING,
    BatchDiscriminator,
    PointDiscriminator,
    PointGenerator,
    SideBySide,
)


def numbers(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


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
        fake = generator(noise).detach()
        NON_SATURATING.discriminator(
            discriminator(real), discriminator(fake)
        ).backward()
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
    x = numbers(7, 3, 2)
    alone = torch.stack([net(x[:, i]) for i, net in enumerate(networks)], dim=1)
    together = SideBySide(networks)(x)
    torch.testing.assert_close(together.view_as(alone), alone)
    torch.testing.assert_close(SideBySide(networks)(x.flatten(1)), together)


@pytest.mark.parametrize("judge", [PointDiscriminator, BatchDiscriminator])
def test_side_by_side_training_equals_training_each_game_alone(judge):
    real, noise = numbers(16, 2, 2, seed=1), numbers(16, 2, 2, seed=2)
    alone = [
        train(PointGenerator(seed=i), judge(seed=9 + i), real[:, i], noise[:, i], 1)
        for i in range(2)
    ]
    together = train(
        SideBySide([PointGenerator(seed=i) for i in range(2)]),
        SideBySide([judge(seed=9 + i) for i in range(2)]),
        real,
        noise,
        count=2,
    )
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
    assert pair(numbers(4, 4)).abs().max() == 0


def test_side_by_side_counts_the_noise_of_all_networks():
    pair = SideBySide([PointGenerator(latent=3, seed=seed) for seed in range(2)])
    assert pair.latent == 6
    assert pair(numbers(5, 6)).shape == (5, 2, 2)


def test_side_by_side_without_networks_raises_value_error():
    with pytest.raises(ValueError, match="at least one network"):
        SideBySide([])
