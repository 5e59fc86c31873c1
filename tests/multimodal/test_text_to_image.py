"""A denoising network that reads captions, and the recipe that trains it."""

import dataclasses

import pytest
import torch

from genai_tutorial.diffusion import DiTConfig, UNetConfig
from genai_tutorial.multimodal import EncoderConfig, TextEncoderConfig
from genai_tutorial.multimodal.text_to_image import TextToImage, drop_texts

TEXT = TextEncoderConfig(
    EncoderConfig(width=8, layers=1, heads=2), vocab_size=9, context_length=6, end=1
)
NETWORKS = {
    "unet": UNetConfig(
        image_channels=3,
        channels=(8, 8),
        embedding_width=16,
        middle_blocks=1,
        heads=2,
        classes=None,
        text_width=8,
    ),
    "dit": DiTConfig(
        image_channels=3,
        image_size=8,
        patch_size=4,
        width=16,
        layers=1,
        heads=2,
        sinusoidal_width=16,
        classes=None,
        text_width=8,
    ),
}
TEXTS = torch.tensor([[2, 3, 4, 1, 0, 0], [5, 1, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0]])


def awake(network):
    generator = torch.Generator().manual_seed(0)
    model = TextToImage(TEXT, NETWORKS[network])
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


@pytest.mark.parametrize("network", NETWORKS)
def test_each_image_follows_its_own_words(network):
    model, x, t = (
        awake(network),
        torch.randn(3, 3, 8, 8),
        torch.tensor([10.0, 500.0, 900.0]),
    )
    before = model(x, t, TEXTS)
    assert before.shape == x.shape
    changed = TEXTS.clone()
    changed[0, 1] = 6
    moved = (model(x, t, changed) - before).abs().amax(dim=(1, 2, 3))
    assert moved[0] > 1e-3
    assert moved[1:].max() < 1e-5


@pytest.mark.parametrize("network", NETWORKS)
def test_no_condition_is_the_empty_text_whatever_its_padding(network):
    model, x, t = (
        awake(network),
        torch.randn(3, 3, 8, 8),
        torch.tensor([10.0, 500.0, 900.0]),
    )
    empty = TEXTS[2:].expand(3, -1)
    torch.testing.assert_close(model(x, t), model(x, t, empty))


def test_the_text_encoder_learns_from_the_images():
    model, x = awake("unet"), torch.randn(3, 3, 8, 8)
    (model(x, torch.full((3,), 500.0), TEXTS) - x).square().mean().backward()
    assert model.encoder.token_embedding.weight.grad[2:6].abs().amax(dim=1).min() > 0
    # words that no text had
    assert model.encoder.token_embedding.weight.grad[6:].abs().max() == 0


def test_texts_are_dropped_at_the_rate_that_was_asked():
    texts = TEXTS[:1].expand(10_000, -1)
    dropped = drop_texts(texts, 0.2, TEXTS[2], torch.Generator().manual_seed(0))
    gone = (dropped == TEXTS[2]).all(dim=1)
    assert abs(gone.float().mean() - 0.2) < 0.02
    assert torch.equal(dropped[~gone], texts[~gone])
    with pytest.raises(ValueError, match="fraction must be from 0 to 1, got -1"):
        drop_texts(texts, -1, TEXTS[2], torch.Generator())


def test_widths_that_do_not_fit_are_refused():
    with pytest.raises(
        ValueError, match="text_width must be the text encoder's width, 8; got 4"
    ):
        TextToImage(TEXT, dataclasses.replace(NETWORKS["unet"], text_width=4))
