"""All recipes of the book, by name."""

from pathlib import Path
from typing import Any

from genai_tutorial.pretrained import read_card
from genai_tutorial.recipes import (
    arithmetic_reasoner,
    bach_chorales,
    caption_voice,
    emoji_autoencoder,
    molecules,
    molecules_3d,
    paddle_world,
    python_exercises,
    shakespeare,
    smollm2_tools,
    speech_codec,
    spoken_captions,
)
from genai_tutorial.recipes.factbook import base, draft, ppo, sft
from genai_tutorial.recipes.latent import diffusion as latent_diffusion
from genai_tutorial.recipes.mnist import classifier, diffusion, families, gan
from genai_tutorial.recipes.shapes import clip, stream, video, vision_language
from genai_tutorial.recipes.shapes import diffusion as shapes_diffusion

from .files import load_recipe
from .recipe import Recipe

RECIPES: tuple[Recipe, ...] = (
    shakespeare.LIVE,
    shakespeare.LONGER,
    classifier.DIGIT_CLASSIFIER,
    diffusion.LIVE,
    diffusion.LONGER,
    gan.MNIST_GAN,
    clip.SHAPES_CLIP,
    shapes_diffusion.SHAPES_DIFFUSION,
    vision_language.SHAPES_VLM,
    stream.SHAPES_STREAM,
    emoji_autoencoder.EMOJI_AUTOENCODER,
    latent_diffusion.SHAPES_LATENT,
    latent_diffusion.EMOJI_LATENT,
    *families.DIGIT_FAMILIES,
    base.FACTBOOK_BASE,
    sft.FACTBOOK_SFT,
    ppo.FACTBOOK_PPO,
    draft.FACTBOOK_DRAFT,
    arithmetic_reasoner.ARITHMETIC_REASONER,
    python_exercises.PYTHON_EXERCISES,
    video.SHAPES_VIDEO,
    spoken_captions.SPOKEN_CAPTIONS,
    caption_voice.CAPTION_VOICE,
    speech_codec.SPEECH_CODEC,
    bach_chorales.LIVE,
    bach_chorales.LONGER,
    smollm2_tools.SMOLLM2_TOOLS,
    paddle_world.PADDLE_WORLD,
    molecules_3d.MOLECULES_3D,
    molecules.MOLECULES,
)
"""All recipes of the book."""


def names() -> tuple[str, ...]:
    """Return the names of all recipes.

    >>> names()[:3]
    ('shakespeare-live', 'shakespeare', 'digit-classifier')
    """
    return tuple(recipe.name for recipe in RECIPES)


def recipe(name: str) -> Recipe:
    """Return the recipe with this name.

    Raises:
        ValueError: If there is none.

    >>> recipe("shakespeare").steps
    1450
    >>> recipe("shakspere")
    Traceback (most recent call last):
    ...
    ValueError: There is no recipe 'shakspere'. There are: shakespeare-live, ...
    """
    for candidate in RECIPES:
        if candidate.name == name:
            return candidate
    raise ValueError(f"There is no recipe {name!r}. There are: {', '.join(names())}.")


def card(name: str, folder: Path | str | None = None) -> dict:
    """Return a trained model's card: its recipe, its training, its data and its
    metrics.

    Args:
        folder: The folder that `train` wrote the model to; None for the models that
            come with the package.

    Raises:
        ValueError: If there is no such recipe.
        FileNotFoundError: If the model has not been trained there.

    >>> card("shakespeare")["metrics"]["held_out_plays"]
    ['Macbeth', 'Twelfth Night']
    """
    return read_card(recipe(name).name, folder)


def load(name: str, folder: Path | str | None = None) -> Any:
    """Load a trained model, ready to use on the CPU.

    Args:
        folder: The folder that `train` wrote the model to; None for the models that
            come with the package.

    Returns:
        The result of the recipe's `wrap`: the model; a language model comes as a pair
        with its tokenizer.

    Raises:
        ValueError: If there is no such recipe, or the file does not match its card.
        FileNotFoundError: If the model has not been trained there.

    >>> model, tokenizer = load("shakespeare")
    >>> import torch
    >>> prompt = torch.tensor([tokenizer.encode("To be, or not to b")])
    >>> tokenizer.decode([int(model(prompt)[0, -1].argmax())])
    'e'
    """
    return load_recipe(recipe(name), folder)
