import math

import pytest
import torch

from genai_tutorial.gan import count_modes, gaussian_ring


def centres_of(ring):
    return torch.stack([component.mean for component in ring.components])


def test_gaussian_ring_has_the_expected_density_and_spacing():
    ring = gaussian_ring(modes=8, radius=2.0, deviation=0.1)
    peak = ring.log_prob(centres_of(ring))
    expected = math.log(1 / 8 / (2 * math.pi * 0.1**2))
    torch.testing.assert_close(
        peak, torch.full((8,), expected).double(), rtol=1e-6, atol=1e-6
    )
    torch.testing.assert_close(
        centres_of(ring).norm(dim=1), torch.full((8,), 2.0).double()
    )
    gaps = torch.pdist(centres_of(ring)).sort().values[:8]
    torch.testing.assert_close(
        gaps, torch.full((8,), 4 * math.sin(math.pi / 8)).double()
    )


def test_count_modes_of_real_samples_finds_all():
    ring = gaussian_ring(deviation=0.1)
    samples = ring.sample(4000, torch.Generator().manual_seed(0))
    modes = count_modes(samples, centres_of(ring), deviation=0.1)
    assert modes.covered == 8
    # In a plane, a share of exp(-9 / 2) of a Gaussian lies beyond three standard
    # deviations.
    assert modes.high_quality == pytest.approx(1 - math.exp(-4.5), abs=0.005)
    assert modes.per_mode.sum().item() == pytest.approx(4000 * modes.high_quality)


def test_count_modes_of_a_collapsed_generator_finds_one():
    ring = gaussian_ring()
    samples = ring.components[3].sample(1000, torch.Generator().manual_seed(0))
    modes = count_modes(samples, centres_of(ring), deviation=0.1)
    assert modes.covered == 1
    assert modes.per_mode.argmax().item() == 3
    assert modes.high_quality > 0.97


def test_count_modes_of_noise_finds_little_high_quality():
    ring = gaussian_ring()
    samples = 4 * torch.rand(4000, 2, generator=torch.Generator().manual_seed(0)) - 2
    modes = count_modes(samples, centres_of(ring), deviation=0.1)
    assert modes.high_quality < 0.15


def test_count_modes_covers_from_a_tenth_of_the_fair_share():
    centres = torch.tensor([[0.0, 0.0], [9.0, 0.0]])
    samples = torch.cat([torch.zeros(96, 2), torch.tensor([[9.0, 0.0]]).repeat(4, 1)])
    # 4 samples are less than a tenth of the fair share of 50
    assert count_modes(samples, centres, deviation=1.0).covered == 1
    assert count_modes(samples[20:], centres, deviation=1.0).covered == 2


def test_count_modes_reach_is_in_standard_deviations():
    centres = torch.tensor([[0.0, 0.0], [9.0, 0.0]])
    samples = torch.tensor([[0.0, 2.9], [0.0, 3.1]])
    assert count_modes(samples, centres, deviation=1.0).per_mode.tolist() == [1, 0]


def test_invalid_arguments_raise_value_error():
    for settings in ({"modes": 1}, {"radius": 0.0}, {"deviation": 0.0}):
        with pytest.raises(ValueError, match="modes must be at least 2, and radius"):
            gaussian_ring(**settings)
    with pytest.raises(ValueError, match="no samples"):
        count_modes(torch.zeros(0, 2), torch.zeros(1, 2), deviation=1.0)
    with pytest.raises(ValueError, match=r"deviation must be greater than 0, got 0\.0"):
        count_modes(torch.zeros(1, 2), torch.zeros(1, 2), deviation=0.0)
