import pytest
import torch

from genai_tutorial.vae import (
    ImageAutoencoder,
    ImageAutoencoderConfig,
    image_autoencoder_loss,
)
from genai_tutorial.vae.model import ConvDecoder, ConvEncoder

SMALL = ImageAutoencoderConfig(width=8)


def discs(count, seed=0):
    """Coloured discs on grey, 32 by 32 pixels."""
    generator = torch.Generator().manual_seed(seed)
    centre = torch.rand(count, 2, 1, 1, generator=generator) * 20 + 6
    colour = torch.rand(count, 3, 1, 1, generator=generator)
    axis = torch.arange(32.0)
    inside = (axis[:, None] - centre[:, 0]).square() + (
        axis - centre[:, 1]
    ).square() < 36
    return torch.where(inside[:, None], colour, torch.tensor(0.5))


def trained(kl_weight, steps=120):
    model, generator = ImageAutoencoder(SMALL), torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    images = discs(64)
    for step in range(steps):
        optimizer.zero_grad()
        batch = images[(torch.arange(16) + 16 * step) % 64]
        image_autoencoder_loss(model, batch, generator, kl_weight=kl_weight).backward()
        optimizer.step()
    return model.eval()


@pytest.fixture(scope="module")
def model():
    return trained(kl_weight=1e-6)


@pytest.mark.slow
def test_image_autoencoder_learns_to_reconstruct_new_images(model):
    images, generator = discs(32, seed=1), torch.Generator().manual_seed(0)
    with torch.no_grad():
        back = model.to_images(model.to_latents(images, generator))
    mean_image = discs(64).mean(dim=0, keepdim=True)
    assert (back - images).square().mean() < 0.7 * (mean_image - images).square().mean()
    assert back.min() >= 0
    assert back.max() <= 1


@pytest.mark.slow
def test_scaled_latents_have_variance_one(model):
    images, generator = discs(64), torch.Generator().manual_seed(0)
    before = model.encode(images).sample(generator).std().item()
    factor = model.set_scaling_factor(images, generator)
    assert factor.item() == pytest.approx(1 / before, rel=0.02)
    scaled = model.to_latents(images, generator).std().item()
    assert scaled == pytest.approx(1, rel=0.02)
    assert "scaling_factor" in model.state_dict()
    with torch.no_grad():
        z = model.encode(images).mean
        torch.testing.assert_close(
            model.to_images(model.scaling_factor * z), model.decode(z).clamp(0, 1)
        )


@pytest.mark.slow
def test_kl_weight_keeps_latents_near_the_prior(model):
    dear = trained(kl_weight=0.1, steps=60)
    images = discs(32, seed=1)
    cheap_kl, dear_kl = (m.encode(images).kl_to_prior().mean() for m in (model, dear))
    assert dear_kl < cheap_kl / 3


def test_compression_matches_the_latent_grid():
    model = ImageAutoencoder(SMALL)
    latents = model.to_latents(
        torch.rand(1, 3, 32, 32), torch.Generator().manual_seed(0)
    )
    assert SMALL.compression() == 3 * 32 * 32 / latents.numel() == 12


@pytest.mark.parametrize(("stages", "side"), [(1, 16), (2, 8), (3, 4)])
def test_conv_encoder_and_decoder_mirror_each_other(stages, side):
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    grid = ConvEncoder(3, 5, 6, stages)(images)
    assert grid.shape == (2, 5, side, side)
    assert ConvDecoder(3, 5, 6, stages)(grid).shape == images.shape


def test_invalid_arguments_raise_value_error():
    with pytest.raises(ValueError, match="multiples of 4, got 30 and 32"):
        ConvEncoder(3, 4, 8, stages=2)(torch.zeros(1, 3, 30, 32))
    with pytest.raises(ValueError, match="kl_weight must not be negative"):
        image_autoencoder_loss(
            ImageAutoencoder(SMALL), discs(1), torch.Generator(), kl_weight=-1.0
        )
