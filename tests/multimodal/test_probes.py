"""Denoising errors as caption scores, and recorded attention maps."""

import pytest
import torch

from genai_tutorial.diffusion import (
    VELOCITY,
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
    record_attention_maps,
)

TEXT = TextEncoderConfig(
    EncoderConfig(width=8, layers=1, heads=2), vocab_size=9, context_length=6, end=1
)
UNET = UNetConfig(
    image_channels=3,
    channels=(8, 8),
    embedding_width=16,
    middle_blocks=2,
    heads=2,
    classes=None,
    text_width=8,
)
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
    """A failed block leaves the model as it was."""
    model = TextToImage(TEXT, UNET).eval()
    with pytest.raises(RuntimeError), record_attention_maps(model, tokens=4) as maps:
        raise RuntimeError
    Guided(model, 2)(
        torch.zeros(1, 3, 16, 16), torch.zeros(1), torch.tensor([[2, 3, 4, 1]])
    )
    assert maps == []
