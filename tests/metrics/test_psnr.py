"""The peak signal-to-noise ratio, beside that of torchmetrics."""

import pytest
import torch
from torchmetrics.functional.image import peak_signal_noise_ratio

from genai_tutorial.metrics import psnr


def test_psnr_agrees_with_torchmetrics():
    generator = torch.Generator().manual_seed(0)
    images, others = torch.rand(2, 4, 3, 8, 8, generator=generator)
    for image, other, ours in zip(images, others, psnr(images, others), strict=True):
        assert ours.item() == pytest.approx(
            peak_signal_noise_ratio(other, image, data_range=1.0).item(), rel=1e-5
        )


def test_psnr_ten_decibels_are_a_tenth_of_the_squared_error():
    images, noise = torch.rand(
        2, 3, 3, 8, 8, generator=torch.Generator().manual_seed(1)
    )
    difference = psnr(images, images + 0.01 * noise) - psnr(
        images, images + 0.1 * noise
    )
    assert torch.allclose(difference, torch.full((3,), 20.0), atol=1e-3)
