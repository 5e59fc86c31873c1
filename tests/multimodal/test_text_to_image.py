"""A denoising network that is conditioned on captions."""

import dataclasses

import pytest
import torch

from genai_tutorial.diffusion import DiTConfig, UNetConfig
from genai_tutorial.multimodal import (
    EncoderConfig,
    TextEncoderConfig,
    TextToImage,
    drop_texts,
)

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
def test_text_to_image_batch_items_use_their_own_text(network):
    """Changing a word of one text changes that image only."""
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
def test_text_to_image_without_condition_uses_the_empty_text(network):
    """The padding of the empty text has no influence."""
    model, x, t = (
        awake(network),
        torch.randn(3, 3, 8, 8),
        torch.tensor([10.0, 500.0, 900.0]),
    )
    empty = TEXTS[2:].expand(3, -1)
    torch.testing.assert_close(model(x, t), model(x, t, empty))


def test_text_to_image_takes_features_in_place_of_tokens():
    """The features that `read` returns give the same prediction as the token ids."""
    model, x = awake("unet"), torch.randn(3, 3, 8, 8)
    t = torch.tensor([10.0, 500.0, 900.0])
    torch.testing.assert_close(model(x, t, model.read(TEXTS)), model(x, t, TEXTS))


def test_text_to_image_loss_trains_the_text_encoder():
    """Embeddings of the words in the texts get a gradient, others none."""
    model, x = awake("unet"), torch.randn(3, 3, 8, 8)
    (model(x, torch.full((3,), 500.0), TEXTS) - x).square().mean().backward()
    assert model.encoder.token_embedding.weight.grad[2:6].abs().amax(dim=1).min() > 0
    # words that no text had
    assert model.encoder.token_embedding.weight.grad[6:].abs().max() == 0


def test_drop_texts_rate():
    """A fifth of 10,000 texts is dropped, and the others stay as they are."""
    texts = TEXTS[:1].expand(10_000, -1)
    dropped = drop_texts(texts, 0.2, TEXTS[2], torch.Generator().manual_seed(0))
    gone = (dropped == TEXTS[2]).all(dim=1)
    assert abs(gone.float().mean() - 0.2) < 0.02
    assert torch.equal(dropped[~gone], texts[~gone])
    with pytest.raises(ValueError, match="fraction must be from 0 to 1, got -1"):
        drop_texts(texts, -1, TEXTS[2], torch.Generator())


def test_text_to_image_refuses_different_widths():
    """The network reads vectors of the text encoder's width."""
    with pytest.raises(
        ValueError, match="text_width must be the text encoder's width, 8; got 4"
    ):
        TextToImage(TEXT, dataclasses.replace(NETWORKS["unet"], text_width=4))
