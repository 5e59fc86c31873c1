"""Data augmentation changes images a little and keeps what they show."""

import torch

from genai_tutorial.data import load_mnist_split, random_affine
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
