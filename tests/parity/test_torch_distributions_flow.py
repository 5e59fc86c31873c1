"""Parity of coupling layers with torch.distributions, and of Langevin steps with the
corrector of diffusers: values to 1e-5.
"""

import pytest
import torch
from diffusers import ScoreSdeVeScheduler
from torch import nn
from torch.distributions import Independent, Normal, TransformedDistribution
from torch.distributions.transforms import AffineTransform

from genai_tutorial.density import RealNVP, langevin


def make_flow(layers):
    torch.manual_seed(0)
    first = torch.tensor([True, True, False, False])
    masks = torch.stack([first, ~first, first, ~first])[:layers]
    return RealNVP(
        masks, lambda: nn.Sequential(nn.Linear(4, 16), nn.SiLU(), nn.Linear(16, 8))
    )


def conditional(layer, x):
    """What a layer does to the coordinates that it changes, as library objects."""
    s, t = layer._scale_and_shift(x)
    return AffineTransform(t, s.exp(), event_dim=1)


@pytest.mark.parametrize("layers", [2, 4])
def test_log_prob_equals_torch_distributions(layers):
    """Given the kept half, each layer is an affine transform of the library."""
    flow = make_flow(layers)
    x = torch.randn(30, 4, generator=torch.Generator().manual_seed(1))
    hidden, transforms = x, []
    for layer in flow.layers:
        transforms.append(conditional(layer, hidden))
        hidden = transforms[-1](hidden)
    # The library maps noise to data: inverses, the last layer first.
    theirs = TransformedDistribution(
        Independent(Normal(torch.zeros(4), torch.ones(4)), 1),
        [transform.inv for transform in reversed(transforms)],
    )
    torch.testing.assert_close(
        flow.log_prob(x), theirs.log_prob(x), rtol=1e-5, atol=1e-5
    )


def test_langevin_step_equals_diffusers_corrector():
    scheduler = ScoreSdeVeScheduler(num_train_timesteps=10, snr=0.15)
    scheduler.set_timesteps(10)
    x = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    score = -x  # of a standard normal distribution
    theirs = scheduler.step_correct(
        score, x, generator=torch.Generator().manual_seed(5), return_dict=False
    )[0]
    noise = torch.randn(6, 3, generator=torch.Generator().manual_seed(5))
    ratio = noise.norm(dim=1).mean() / score.norm(dim=1).mean()
    ours = langevin(
        lambda y: 0.5 * y.square().sum(dim=1),
        x,
        2 * (0.15 * ratio.item()) ** 2,
        1,
        torch.Generator().manual_seed(5),
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
