"""All recipes of the book, by name."""

from pathlib import Path
from typing import Any

from genai_tutorial.pretrained import read_card
from .arithmetic_reasoner import ARITHMETIC_REASONER
from .bach_chorales import LIVE as CHORALES_LIVE
from .bach_chorales import LONGER as CHORALES
from .caption_voice import CAPTION_VOICE
from .emoji_autoencoder import EMOJI_AUTOENCODER
from .factbook.base import FACTBOOK_BASE
from .factbook.draft import FACTBOOK_DRAFT
from .factbook.ppo import FACTBOOK_PPO
from .factbook.sft import FACTBOOK_SFT
from .latent.diffusion import EMOJI_LATENT, SHAPES_LATENT
from .mnist.classifier import DIGIT_CLASSIFIER
from .mnist.diffusion import LIVE as DIGITS_LIVE
from .mnist.diffusion import LONGER as DIGITS
from .mnist.families import DIGIT_FAMILIES
from .mnist.gan import MNIST_GAN
from .molecules import MOLECULES
from .molecules_3d import MOLECULES_3D
from .paddle_world import PADDLE_WORLD
from .python_exercises import PYTHON_EXERCISES
from .shakespeare import LIVE as SHAKESPEARE_LIVE
from .shakespeare import LONGER as SHAKESPEARE
from .shapes.clip import SHAPES_CLIP
from .shapes.diffusion import SHAPES_DIFFUSION
from .shapes.stream import SHAPES_STREAM
from .shapes.video import SHAPES_VIDEO
from .shapes.vision_language import SHAPES_VLM
from .smollm2_tools import SMOLLM2_TOOLS
from .speech_codec import SPEECH_CODEC
from .spoken_captions import SPOKEN_CAPTIONS
from .files import load_recipe
from .recipe import Recipe

RECIPES: tuple[Recipe, ...] = (
    SHAKESPEARE_LIVE,
    SHAKESPEARE,
    DIGIT_CLASSIFIER,
    DIGITS_LIVE,
    DIGITS,
    MNIST_GAN,
    SHAPES_CLIP,
    SHAPES_DIFFUSION,
    SHAPES_VLM,
    SHAPES_STREAM,
    EMOJI_AUTOENCODER,
    SHAPES_LATENT,
    EMOJI_LATENT,
    *DIGIT_FAMILIES,
    FACTBOOK_BASE,
    FACTBOOK_SFT,
    FACTBOOK_PPO,
    FACTBOOK_DRAFT,
    ARITHMETIC_REASONER,
    PYTHON_EXERCISES,
    SHAPES_VIDEO,
    SPOKEN_CAPTIONS,
    CAPTION_VOICE,
    SPEECH_CODEC,
    CHORALES_LIVE,
    CHORALES,
    SMOLLM2_TOOLS,
    PADDLE_WORLD,
    MOLECULES_3D,
    MOLECULES,
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
