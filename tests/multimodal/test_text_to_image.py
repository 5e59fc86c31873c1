"""A denoising network that is conditioned on captions."""

import dataclasses

import pytest
import torch

from genai_tutorial.diffusion import (
    VELOCITY,
    DiTConfig,
    Guided,
    UNetConfig,
    cosine_schedule,
    sample_images,
)
from genai_tutorial.multimodal import (
    EncoderConfig,
    TextEncoderConfig,
    TextToImage,
    denoising_errors,
    drop_texts,
    record_attention_maps,
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
TIMES = torch.tensor([10.0, 500.0, 900.0])
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
    model, x, t = awake(network), torch.randn(3, 3, 8, 8), TIMES
    before = model(x, t, TEXTS)
    assert before.shape == x.shape
    changed = TEXTS.clone()
    changed[0, 1] = 6
    moved = (model(x, t, changed) - before).abs().amax(dim=(1, 2, 3))
    assert moved[0] > 1e-3
    assert moved[1:].max() < 1e-5


@pytest.mark.parametrize("network", NETWORKS)
def test_text_to_image_without_condition_uses_the_empty_text(network):
    model, x, t = awake(network), torch.randn(3, 3, 8, 8), TIMES
    empty = TEXTS[2:].expand(3, -1)
    torch.testing.assert_close(model(x, t), model(x, t, empty))


def test_text_to_image_takes_features_in_place_of_tokens():
    model, x, t = awake("unet"), torch.randn(3, 3, 8, 8), TIMES
    torch.testing.assert_close(model(x, t, model.read(TEXTS)), model(x, t, TEXTS))


def test_text_to_image_loss_trains_the_text_encoder():
    model, x = awake("unet"), torch.randn(3, 3, 8, 8)
    (model(x, torch.full((3,), 500.0), TEXTS) - x).square().mean().backward()
    assert model.encoder.token_embedding.weight.grad[2:6].abs().amax(dim=1).min() > 0
    # words that no text had
    assert model.encoder.token_embedding.weight.grad[6:].abs().max() == 0


def test_drop_texts_rate():
    texts = TEXTS[:1].expand(10_000, -1)
    dropped = drop_texts(texts, 0.2, TEXTS[2], torch.Generator().manual_seed(0))
    gone = (dropped == TEXTS[2]).all(dim=1)
    assert abs(gone.float().mean() - 0.2) < 0.02
    assert torch.equal(dropped[~gone], texts[~gone])
    with pytest.raises(ValueError, match="fraction must be from 0 to 1, got -1"):
        drop_texts(texts, -1, TEXTS[2], torch.Generator())


UNET = dataclasses.replace(NETWORKS["unet"], middle_blocks=2)
SCHEDULE = cosine_schedule(100)


def perfect_model(answer):
    """Return a model that predicts the velocity that leads to one clean image."""

    def model(x, t, condition):
        level = SCHEDULE.level(int(t[0]))
        return (level.signal * x - answer) / level.noise

    return model


def test_denoising_errors_of_a_known_model():
    """A model that always predicts white is off by 4 for black and by 0 for white."""
    images = torch.stack([torch.ones(3, 4, 4), -torch.ones(3, 4, 4)])
    errors = denoising_errors(
        perfect_model(1.0), SCHEDULE, VELOCITY, images, None, times=(30, 60), seed=0
    )
    torch.testing.assert_close(errors, torch.tensor([0.0, 4.0]), atol=1e-4, rtol=1e-4)


def test_denoising_errors_use_the_same_noise_for_the_same_seed():
    """Differences between captions cannot come from the noise."""
    images = torch.zeros(2, 3, 4, 4)
    first, again, other = (
        denoising_errors(
            lambda x, t, condition: x, SCHEDULE, VELOCITY, images, None,
            times=(50,), seed=seed,
        )
        for seed in (0, 0, 1)
    )  # fmt: skip
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    with pytest.raises(ValueError, match="at least one timestep"):
        denoising_errors(
            perfect_model(1.0), SCHEDULE, VELOCITY, images, None, times=(), seed=0
        )


def test_record_attention_maps_collects_maps_of_the_caption_only():
    """Two layers and three steps give six maps; passes with the empty text are left
    out, and so are passes after the block.
    """
    model = TextToImage(TEXT, UNET).eval()
    ids = torch.tensor([[2, 3, 4, 1]]).expand(5, -1)

    def draw():
        return sample_images(
            model, SCHEDULE, VELOCITY, ids, (5, 3, 16, 16), steps=3, seed=0, guidance=2
        )

    with record_attention_maps(model, tokens=4) as maps:
        draw()
    assert [tuple(one.shape) for one in maps] == [(5, 4, 4, 4)] * 6
    torch.testing.assert_close(maps[0].sum(dim=1), torch.ones(5, 4, 4))
    draw()
    assert len(maps) == 6


def test_record_attention_maps_removes_its_hooks_after_an_error():
    model = TextToImage(TEXT, UNET).eval()
    with pytest.raises(RuntimeError), record_attention_maps(model, tokens=4) as maps:
        raise RuntimeError
    Guided(model, 2)(
        torch.zeros(1, 3, 16, 16), torch.zeros(1), torch.tensor([[2, 3, 4, 1]])
    )
    assert maps == []
