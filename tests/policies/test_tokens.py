"""The policy that chooses action tokens."""

import torch

from genai_tutorial.policies import ActionTokenPolicy


def test_words_decide_where_the_image_does_not():
    """A policy learns to turn towards the colour that the words name."""
    generator = torch.Generator().manual_seed(0)
    policy = ActionTokenPolicy(side=16, words=2, actions=2, seed=0)
    optimizer = torch.optim.AdamW(policy.parameters(), lr=3e-3)

    def batch():
        red_left = torch.rand(64, generator=generator) < 0.5
        named = torch.randint(2, (64,), generator=generator)
        images = torch.zeros(64, 3, 16, 16)
        images[:, 0, :, :8] = red_left[:, None, None].float()
        images[:, 1, :, :8] = 1 - red_left[:, None, None].float()
        images[:, :2, :, 8:] = images[:, :2, :, :8].flip(1)
        return images, torch.eye(2)[named], (red_left.long() + named) % 2

    for _ in range(100):
        images, words, actions = batch()
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(policy(images, words), actions).backward()
        optimizer.step()
    images, words, actions = batch()
    assert (policy.act(images, words, generator) == actions).float().mean() > 0.95
    swapped = policy.act(images, words.flip(1), generator)
    assert (swapped == actions).float().mean() < 0.05


def test_seed_decides_the_parameters():
    one, two = (ActionTokenPolicy(16, 2, 2, seed=seed) for seed in (0, 0))
    assert torch.equal(one.film.weight, two.film.weight)
    assert not torch.equal(one.film.weight, ActionTokenPolicy(16, 2, 2, 1).film.weight)
