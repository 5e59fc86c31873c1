"""The Bradley-Terry model against choix."""

import math

import pytest
import torch

from genai_tutorial.metrics import fit_bradley_terry

choix = pytest.importorskip("choix", reason="needs choix: pip install choix")

SYSTEMS = 8


@pytest.mark.parametrize("method", ["opt_pairwise", "ilsr_pairwise", "mm_pairwise"])
@pytest.mark.parametrize("count", [200, 2000])
def test_bradley_terry_equals_choix(method, count):
    """Elo points are 400 / ln 10 times choix's parameters, and have mean 1,000."""
    generator = torch.Generator().manual_seed(count)
    strength = torch.randn(SYSTEMS, generator=generator, dtype=torch.float64)
    first = torch.randint(SYSTEMS, (count,), generator=generator)
    step = torch.randint(1, SYSTEMS, (count,), generator=generator)
    second = (first + step) % SYSTEMS
    p = (strength[first] - strength[second]).sigmoid()
    won = torch.rand(count, generator=generator, dtype=torch.float64) < p
    pairs = torch.stack((first, second), dim=1)
    pairs = torch.where(won[:, None], pairs, pairs.flip(1))  # winner first, then loser
    theirs = torch.from_numpy(getattr(choix, method)(SYSTEMS, pairs.tolist()))
    expected = 1000 + 400 / math.log(10) * (theirs - theirs.mean())
    ours = fit_bradley_terry(first, second, won.double(), SYSTEMS).ratings
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-2)
