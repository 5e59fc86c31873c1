"""Data augmentation changes images a little and keeps what they show."""

import pytest
import torch

from genai_tutorial.data import (
    LEVELS,
    dequantize,
    from_levels,
    load_mnist_split,
    random_affine,
    requantize,
    to_levels,
)
from genai_tutorial.metrics import read_digits
from genai_tutorial.recipes import load


def test_random_affine_keeps_digits_legible():
    """The book's classifier reads most augmented digits correctly."""
    _, held_out = load_mnist_split()
    images, generator = held_out.images, torch.Generator().manual_seed(0)
    augmented = random_affine(images, generator)
    assert not torch.equal(augmented, images)
    assert 0 <= augmented.min() <= augmented.max() <= 1 + 1e-6
    reading = read_digits(load("digit-classifier"), augmented)
    assert (reading.labels == held_out.labels).double().mean() > 0.97


def test_random_affine_with_no_range_changes_nothing():
    """Without rotation, scaling and translation the images stay as they are."""
    images = load_mnist_split()[1].images[:50]
    generator = torch.Generator().manual_seed(0)
    still = random_affine(images, generator, degrees=0, stretching=0.0, pixels=0)
    torch.testing.assert_close(still, images, atol=1e-4, rtol=0)


ALL = torch.arange(LEVELS)


def test_to_levels_inverts_from_levels():
    assert torch.equal(to_levels(from_levels(ALL)), ALL)
    assert from_levels(ALL)[[0, 255]].tolist() == [0.0, 1.0]


def test_dequantize_is_uniform_within_interval_of_level():
    generator = torch.Generator().manual_seed(0)
    spread = dequantize(ALL.repeat(4000, 1), generator)
    assert torch.equal(requantize(spread), ALL.repeat(4000, 1))
    place = spread.double() * LEVELS - ALL
    # mean and variance of the uniform distribution
    assert place.mean().item() == pytest.approx(0.5, abs=0.002)
    assert place.var().item() == pytest.approx(1 / 12, abs=0.0005)


def test_requantize_clips_to_black_and_white():
    assert requantize(torch.tensor([-5.0, -1e-6, 1.0, 9.0])).tolist() == [
        0,
        0,
        255,
        255,
    ]


def test_levels_reject_invalid_values():
    with pytest.raises(ValueError, match=r"from 0 to 1, got -0\.500 to 1\.000"):
        to_levels(torch.tensor([-0.5, 1.0]))
    with pytest.raises(ValueError, match="from 0 to 1, got nan"):
        to_levels(torch.tensor([float("nan")]))
    for wrong in (-1, 256):
        with pytest.raises(ValueError, match="levels must be from 0 to 255"):
            dequantize(torch.tensor([wrong]), torch.Generator())
