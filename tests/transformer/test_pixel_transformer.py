"""The pixel Transformer predicts every pixel once, from the pixels before it."""

import itertools
import math

import pytest
import torch

from genai_tutorial.transformer import PixelConfig, PixelTransformer
from genai_tutorial.transformer.pixel_transformer import _chain_order, _known_around

SMALL = PixelConfig(
    side=8, patch=4, levels=5, width=16, layers=2, heads=2, sight=3, hidden=24
)


def scrambled(config, seed=0):
    """Return a model with random weights, because an untrained one gives the same
    output for every input.
    """
    model, generator = (
        PixelTransformer(config, seed),
        torch.Generator().manual_seed(seed),
    )
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.3 * torch.randn(weight.shape, generator=generator))
    return model.eval()


def some_images(count, config=SMALL, seed=1):
    return torch.randint(
        config.levels,
        (count, config.side, config.side),
        generator=torch.Generator().manual_seed(seed),
    )


def test_pixel_logits_depend_only_on_earlier_pixels():
    model, images, order = scrambled(SMALL), some_images(1), _chain_order(8, 4)
    before = model(images).flatten(1, 2)[0]
    for turn in (0, 3, 15, 16, 29, 47, 62):
        changed = images.flatten(1).clone()
        changed[0, order[turn]] = (changed[0, order[turn]] + 2) % 5
        moved = (model(changed.view_as(images)).flatten(1, 2)[0] - before).abs().amax(
            dim=1
        )[order] > 1e-6
        assert not moved[: turn + 1].any()
        assert moved[turn + 1]  # the next pixel sees it at once,
        assert moved[
            turn // 16 * 16 + 16 :
        ].all()  # and the patches that follow see the patch it lies in


def test_pixel_log_prob_sums_to_one_over_all_images():
    tiny = PixelConfig(
        side=2, patch=2, levels=3, width=8, layers=1, heads=2, sight=1, hidden=8
    )
    every = torch.tensor(list(itertools.product(range(3), repeat=4))).view(-1, 2, 2)
    total = scrambled(tiny).log_prob(every).exp().sum().item()
    assert total == pytest.approx(1, abs=1e-5)


def test_pixel_samples_follow_log_prob():
    tiny = PixelConfig(
        side=2, patch=1, levels=2, width=8, layers=1, heads=2, sight=1, hidden=8
    )
    model = scrambled(tiny)
    every = torch.tensor(list(itertools.product(range(2), repeat=4)))
    expected = model.log_prob(every.view(-1, 2, 2)).exp()
    drawn = model.draw(20_000, torch.Generator().manual_seed(0)).flatten(1)
    counts = (drawn @ torch.tensor([8, 4, 2, 1])).bincount(minlength=16)
    surprise = (
        ((counts - 20_000 * expected).square() / (20_000 * expected)).sum().item()
    )
    # chi-squared with 15 degrees of freedom: one time in a thousand by chance
    assert surprise < 37.7


def test_pixel_sampling_with_cache_matches_full_logits():
    model = scrambled(SMALL)
    # always the most probable level
    cold = model.draw(6, torch.Generator().manual_seed(0), temperature=1e-6)
    assert torch.equal(model(cold).argmax(dim=-1), cold)
    first, again, other = (
        model.draw(6, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_pixel_initialization_predicts_uniformly():
    images = some_images(3)
    assert torch.allclose(
        PixelTransformer(SMALL).log_prob(images), torch.full((3,), -64 * math.log(5))
    )
    assert torch.allclose(PixelTransformer(SMALL, 1)(images), torch.zeros(1))


@pytest.mark.slow
def test_pixel_transformer_learns_long_range_pattern():
    """The last patch repeats the first, which is mostly outside its neighbourhood, so
    the information has to come through attention.
    """
    generator = torch.Generator().manual_seed(0)
    model = PixelTransformer(
        PixelConfig(
            side=4, patch=2, levels=2, width=32, layers=1, heads=2, sight=1, hidden=32
        )
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(250):
        images = torch.randint(2, (64, 4, 4), generator=generator)
        images[:, 2:, 2:] = images[:, :2, :2]
        loss = -model.log_prob(images).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    # twelve free pixels cost a bit each, the four repeated ones nothing
    assert loss.item() < 12 * math.log(2) + 0.1


def test_pixel_neighbours_precede_in_chain_order():
    turn, around = _chain_order(8, 4).argsort(), _known_around(8, 4, 2)
    for pixel, neighbours in enumerate(around):
        known = neighbours[neighbours >= 0]
        assert (turn[known] < turn[pixel]).all()
        distance = torch.maximum(
            (known // 8 - pixel // 8).abs(), (known % 8 - pixel % 8).abs()
        )
        assert distance.max() <= 2 if len(known) else pixel == 0
    assert sorted(_chain_order(8, 4).tolist()) == list(range(64))
    # The pixel right above is known everywhere but in the first row, whatever patch it
    # lies in.
    assert all(pixel - 8 in around[pixel] for pixel in range(8, 64))


def test_pixel_config_rejects_invalid_settings():
    with pytest.raises(ValueError, match="patch must divide side, got 5 and 28"):
        PixelConfig(patch=5)
    with pytest.raises(ValueError, match="sight must be at least patch - 1 = 3 and"):
        PixelConfig(sight=2)
    model = PixelTransformer(SMALL)
    with pytest.raises(ValueError, match="images must be 8 by 8 pixels"):
        model(torch.zeros(1, 6, 6).long())
    with pytest.raises(ValueError, match="levels must be from 0 to 4, got 0 to 9"):
        model(torch.full((1, 8, 8), 9) * torch.eye(8).long())
    with pytest.raises(ValueError, match="temperature above 0, got 1 and 0"):
        model.draw(1, torch.Generator(), temperature=0)
