"""The recipes of the latent diffusion models."""

import dataclasses

import pytest
import torch

from genai_tutorial.diffusion import UNetConfig
from genai_tutorial.multimodal import EncoderConfig
from genai_tutorial.recipes import latent_diffusion, load
from genai_tutorial.recipes.latent_diffusion import (
    EMOJI_LATENT,
    SHAPES_LATENT,
    Emoji,
    Scenes,
)
from genai_tutorial.vae import encode_images
from tests.recipes.captioned import Listener, check_drawing
from tests.recipes.conftest import run_recipe

NETWORK = UNetConfig(
    image_channels=4,
    patch_size=1,
    channels=(8, 8),
    embedding_width=16,
    middle_blocks=1,
    heads=2,
    classes=None,
    text_width=8,
    image_size=8,
)


def tiny(recipe, **changes):
    text = dataclasses.replace(
        recipe.text, encoder=EncoderConfig(width=8, layers=1, heads=2)
    )
    return dataclasses.replace(
        recipe,
        name="tiny",
        text=text,
        text_from=None,
        config=NETWORK,
        batch_size=4,
        steps=6,
        warmup_steps=2,
        **changes,
    )


TINY = tiny(SHAPES_LATENT, pictures=Scenes(count=40, measured=5))


@pytest.mark.slow
def test_latent_diffusion_resumes_bit_for_bit_and_draws(resumes):
    check_drawing(TINY, resumes(TINY, latent_diffusion, "diffusion_loss"))


@pytest.mark.slow
def test_latent_diffusion_untrained_metrics_are_at_chance():
    model = TINY.build()
    metrics = TINY.measure(model)
    assert metrics["captions_each"] == 5
    assert metrics["one_object_everything"] == metrics["two_objects_everything"] == 0
    assert "show all that the caption says" in TINY.summary(metrics)


@pytest.mark.slow
def test_emoji_latent_trains_on_training_names(tmp_path):
    recipe = tiny(EMOJI_LATENT, pictures=Emoji(measured=3))
    trained = run_recipe(recipe, tmp_path)
    assert len(trained.notes["tokenizer"]["words"]) + 2 == EMOJI_LATENT.text.vocab_size
    metrics = recipe.measure(trained.model)
    assert metrics["training_names"] == 3
    assert 0 <= metrics["recalled"] <= 1
    assert 0 <= metrics["recalled_held_out"] <= 1
    assert metrics["held_out_names_of_known_words"] >= 20
    loaded = recipe.wrap(trained.model, trained.notes)
    options = dataclasses.replace(recipe.options, prompt="fire engine", steps=1)
    images = recipe.sample(loaded, options, 1, seed=0).items
    assert images.shape == (1, 3, 32, 32)


def test_latent_diffusion_negative_prompt_needs_guidance():
    trained = tiny(SHAPES_LATENT).build()
    with torch.no_grad():
        for weight in trained.parameters():
            weight.normal_(
                0, 0.2, generator=torch.Generator().manual_seed(weight.numel())
            )
    loaded = TINY.wrap(trained, {"tokenizer": TINY.tokenizer().to_dict()})
    captions = ["a red circle"]
    plain, other = (
        [
            loaded.draw(captions, steps=2, guidance=guidance, seed=0, negative=unwanted)
            for unwanted in (None, ["blue"])
        ]
        for guidance in (1, 3)
    )
    assert torch.equal(*plain)
    assert not torch.equal(*other)


@pytest.mark.slow
def test_scaled_latents_have_unit_variance():
    """The scaling factor holds for scenes that it was not measured on."""
    recipe = dataclasses.replace(SHAPES_LATENT, pictures=Scenes(count=600), seed=3)
    images, _ = recipe.captioned()
    latents = encode_images(load("emoji-autoencoder"), images, seed=0)
    assert latents.shape == (600, 4, 8, 8)
    assert torch.equal(
        latents, encode_images(load("emoji-autoencoder"), images, seed=0)
    )
    assert abs(latents.std() - 1) < 0.1  # over scenes and emoji together it is 1


def test_latent_diffusion_draws_one_caption_per_picture():
    listener = Listener()
    texts = torch.stack([torch.full((1000, 17), 7), torch.full((1000, 17), 8)], dim=1)
    images, generator = torch.zeros(1000, 4, 8, 8), torch.Generator().manual_seed(0)
    TINY.loss(listener, images, texts, generator)
    listener.check()
