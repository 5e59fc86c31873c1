"""The recipe of the image autoencoder."""

import dataclasses

import pytest

from genai_tutorial.data import load_emoji_split
from genai_tutorial.recipes import emoji_autoencoder as image_autoencoder
from genai_tutorial.recipes.emoji_autoencoder import EMOJI_AUTOENCODER
from genai_tutorial.vae import ImageAutoencoderConfig

TINY = dataclasses.replace(
    EMOJI_AUTOENCODER,
    name="tiny",
    config=ImageAutoencoderConfig(width=8),
    scenes=20,
    steps=6,
    warmup_steps=2,
)


@pytest.mark.slow
def test_emoji_autoencoder_resumes_bit_for_bit(resumes):
    trained = resumes(TINY, image_autoencoder, "image_autoencoder_loss")
    assert trained.model.scaling_factor != 1


@pytest.mark.slow
def test_emoji_autoencoder_is_measured_on_held_out_families():
    train, held_out = load_emoji_split()
    assert set(train.families).isdisjoint(held_out.families)
    assert not any("skin tone" in name for name in train.names + held_out.names)
    metrics = TINY.measure(TINY.build())
    assert metrics["held_out_emoji"] == len(held_out)
    assert metrics["scenes_read_as_captioned"] < 0.1  # it has learned nothing
    assert 0 < metrics["emoji_psnr_db"] < 10
