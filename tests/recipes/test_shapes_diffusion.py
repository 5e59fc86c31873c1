"""The recipe of the model that draws scenes from captions."""

import dataclasses

import pytest
import torch

from genai_tutorial.diffusion import UNetConfig
from genai_tutorial.multimodal import EncoderConfig
from genai_tutorial.recipes import load, shapes_diffusion
from genai_tutorial.recipes.shapes_diffusion import SHAPES_DIFFUSION
from genai_tutorial.tasks.shapes import CAPTION_LENGTH, CAPTION_TOKENIZER, load_shapes
from tests.recipes.captioned import Listener, check_drawing
from tests.recipes.conftest import run_recipe

TINY = dataclasses.replace(
    SHAPES_DIFFUSION,
    name="tiny",
    text=dataclasses.replace(
        SHAPES_DIFFUSION.text, encoder=EncoderConfig(width=8, layers=1, heads=2)
    ),
    text_from=None,
    config=UNetConfig(
        image_channels=3,
        channels=(8, 8),
        embedding_width=16,
        middle_blocks=1,
        heads=2,
        classes=None,
        text_width=8,
    ),
    scenes=40,
    batch_size=4,
    steps=6,
    warmup_steps=2,
)


@pytest.mark.slow
def test_shapes_diffusion_resumes_bit_for_bit_and_draws(resumes):
    trained = resumes(TINY, shapes_diffusion, "diffusion_loss")
    drawn = check_drawing(TINY, trained)
    with pytest.raises(ValueError, match="as in 'a red square': got 'a large square'"):
        drawn("a red circle and a large square")


def test_shapes_diffusion_caption_mixture():
    images = torch.zeros(1000, 3, 32, 32).byte()
    full, shorter = (torch.full((1000, CAPTION_LENGTH), i) for i in (7, 8))
    listener = Listener()
    TINY.loss(listener, images, full, shorter, torch.Generator().manual_seed(0))
    listener.check()


def test_encode_captions_length():
    scenes = load_shapes(300, seed=9, objects=(1, 2))
    varied = scenes.varied_captions(torch.Generator().manual_seed(0))
    rows = CAPTION_TOKENIZER.encode_batch((*scenes.captions, *varied), CAPTION_LENGTH)
    assert ((rows == CAPTION_TOKENIZER.END).sum(dim=1) == 1).all()


def test_shapes_diffusion_starts_with_the_text_encoder_of_clip(tmp_path):
    config = dataclasses.replace(TINY.config, text_width=64)
    recipe = dataclasses.replace(
        TINY,
        text=SHAPES_DIFFUSION.text,
        text_from="shapes-clip",
        config=config,
        ema_decay=0.0,
        steps=1,
        warmup_steps=0,
    )
    frozen = dataclasses.replace(
        recipe.optimizer, matrix_lr=0.0, embedding_lr=0.0, head_lr=0.0, vector_lr=0.0
    )
    recipe = dataclasses.replace(recipe, optimizer=frozen)
    trained = run_recipe(recipe, tmp_path).model.encoder
    expected = load("shapes-clip").model.text_encoder.state_dict()
    assert all(
        torch.equal(weight, expected[name])
        for name, weight in trained.state_dict().items()
    )
