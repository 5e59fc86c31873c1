"""The recipe of the model that draws scenes from captions."""

import dataclasses

import pytest
import torch
from torch import nn

from genai_tutorial.diffusion import UNetConfig
from genai_tutorial.multimodal import EncoderConfig
from genai_tutorial.recipes import RunSettings, load, shapes_diffusion
from genai_tutorial.recipes.recipe import build
from genai_tutorial.recipes.shapes_diffusion import SHAPES_DIFFUSION
from genai_tutorial.tasks.shapes import CAPTION_LENGTH, CAPTION_TOKENIZER, load_shapes
from genai_tutorial.training import Checkpoint, Process

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
def test_shapes_diffusion_resumes_bit_for_bit_and_draws(follow, kill_and_resume):
    """A stopped and resumed run ends at the same weights, and the model draws."""
    trained = follow(TINY)
    expected = trained.model.state_dict()
    got = kill_and_resume(TINY, shapes_diffusion, "diffusion_loss").model.state_dict()
    assert all(torch.equal(got[key], weight) for key, weight in expected.items())

    card = {"recipe": dataclasses.asdict(TINY), **trained.notes}
    model, tokenizer = TINY.wrap(trained.model, card)
    assert {
        key: weight.shape for key, weight in build(TINY, card).state_dict().items()
    } == {key: weight.shape for key, weight in expected.items()}
    options = dataclasses.replace(
        TINY.options, prompt="a small red circle above a large blue square", steps=2
    )
    images = TINY.sample((model, tokenizer), options, 3, seed=4).items
    assert images.shape == (3, 3, 32, 32)
    assert images.min() >= 0
    assert images.max() <= 1
    assert torch.equal(
        images, TINY.sample((model, tokenizer), options, 3, seed=4).items
    )
    with pytest.raises(ValueError, match="Give a prompt"):
        TINY.sample((model, tokenizer), TINY.options, 1, seed=0)
    with pytest.raises(ValueError, match="pink"):
        TINY.sample(
            (model, tokenizer),
            dataclasses.replace(TINY.options, prompt="a pink circle"),
            1,
            seed=0,
        )
    with pytest.raises(ValueError, match="as in 'a red square': got 'a large square'"):
        TINY.sample(
            (model, tokenizer),
            dataclasses.replace(TINY.options, prompt="a red circle and a large square"),
            1,
            seed=0,
        )
    assert TINY.sample(
        (model, tokenizer),
        dataclasses.replace(TINY.options, prompt="", steps=2),
        1,
        seed=0,
    ).items.shape == (1, 3, 32, 32)


class Listener(nn.Module):
    def forward(self, x, t, condition):
        self.heard = condition
        return torch.zeros_like(x)


def test_shapes_diffusion_caption_mixture():
    """Half of the texts are full captions, and a tenth is empty."""
    images = torch.zeros(1000, 3, 32, 32).byte()
    full, shorter = (
        torch.full((1000, CAPTION_LENGTH), 7),
        torch.full((1000, CAPTION_LENGTH), 8),
    )
    listener = Listener()
    TINY.loss(listener, images, full, shorter, torch.Generator().manual_seed(0))
    empty = (listener.heard[:, 0] == 1) & (listener.heard[:, 1:] == 0).all(dim=1)
    assert 0.06 < empty.float().mean() < 0.14
    kinds = listener.heard[~empty].float()
    assert (kinds == kinds[:, :1]).all()
    assert 0.4 < (kinds[:, 0] == 7).float().mean() < 0.6


def test_encode_captions_length():
    """Captions of two objects fit into a row of tokens."""
    scenes = load_shapes(300, seed=9, objects=(1, 2))
    varied = scenes.varied_captions(torch.Generator().manual_seed(0))
    rows = CAPTION_TOKENIZER.encode_batch((*scenes.captions, *varied), CAPTION_LENGTH)
    assert ((rows == CAPTION_TOKENIZER.END).sum(dim=1) == 1).all()


def test_shapes_diffusion_starts_with_the_text_encoder_of_clip(tmp_path):
    """The initial weights of the text encoder are those of `text_from`."""
    config = dataclasses.replace(TINY.config, text_width=64)
    recipe = dataclasses.replace(
        TINY,
        text=SHAPES_DIFFUSION.text,
        text_from="shapes-clip",
        config=config,
        ema_decay=0.0,
    )
    frozen = dataclasses.replace(
        recipe.optimizer, matrix_lr=0.0, embedding_lr=0.0, head_lr=0.0, vector_lr=0.0
    )
    recipe = dataclasses.replace(recipe, optimizer=frozen)
    checkpoint = Checkpoint(tmp_path / "tiny.run.safetensors")
    trained = recipe.fit(
        RunSettings(1, torch.device("cpu"), Process(), checkpoint, progress=False)
    ).model.encoder
    expected = load("shapes-clip").model.text_encoder.state_dict()
    assert all(
        torch.equal(weight, expected[name])
        for name, weight in trained.state_dict().items()
    )
