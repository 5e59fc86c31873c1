"""The recipe of the image autoencoder."""

import dataclasses

import pytest
import torch

from genai_tutorial.data import load_emoji_split
from genai_tutorial.recipes import emoji_autoencoder as image_autoencoder
from genai_tutorial.recipes.emoji_autoencoder import EMOJI_AUTOENCODER
from genai_tutorial.recipes.recipe import build
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
def test_emoji_autoencoder_resumes_bit_for_bit(follow, kill_and_resume):
    """A stopped and resumed run ends at the same weights and scaling factor."""
    expected = follow(TINY).model.state_dict()
    got = kill_and_resume(TINY, image_autoencoder, "image_autoencoder_loss").model
    assert all(
        torch.equal(got.state_dict()[key], weight) for key, weight in expected.items()
    )
    assert expected["scaling_factor"] != 1

    built = build(TINY, {"recipe": dataclasses.asdict(TINY)})
    assert {key: weight.shape for key, weight in built.state_dict().items()} == {
        key: weight.shape for key, weight in expected.items()
    }


@pytest.mark.slow
def test_emoji_autoencoder_is_measured_on_held_out_families():
    """Metrics use emoji of families that are not in the training set."""
    train, held_out = load_emoji_split()
    assert set(train.families).isdisjoint(held_out.families)
    assert not any("skin tone" in name for name in train.names + held_out.names)
    metrics = TINY.measure(TINY.build())
    assert metrics["held_out_emoji"] == len(held_out)
    assert metrics["scenes_read_as_captioned"] < 0.1  # it has learned nothing
    assert 0 < metrics["emoji_psnr_db"] < 10
