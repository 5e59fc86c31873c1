"""All recipes of the book, by name. Each family has a module of its own beside this
one.
"""

from genai_tutorial.pretrained import (
    assistant,
    base_model,
    digit_classifier,
    families,
    feedback,
    image_autoencoder,
    image_diffusion,
    image_gan,
    language,
    latent_diffusion,
    shapes_clip,
    shapes_diffusion,
)
from genai_tutorial.pretrained.recipe import Recipe

RECIPES: tuple[Recipe, ...] = (
    language.LIVE,
    language.LONGER,
    digit_classifier.DIGIT_CLASSIFIER,
    image_diffusion.LIVE,
    image_diffusion.LONGER,
    image_gan.MNIST_GAN,
    shapes_clip.SHAPES_CLIP,
    shapes_diffusion.SHAPES_DIFFUSION,
    image_autoencoder.EMOJI_AUTOENCODER,
    latent_diffusion.SHAPES_LATENT,
    latent_diffusion.EMOJI_LATENT,
    *families.FAMILIES,
    base_model.FACTBOOK_BASE,
    assistant.FACTBOOK_SFT,
    feedback.FACTBOOK_PPO,
)
"""All recipes of the book."""


def names() -> tuple[str, ...]:
    """Return the names of all recipes.

    >>> names()[:3]
    ('shakespeare-live', 'shakespeare', 'digit-classifier')
    """
    return tuple(one.name for one in RECIPES)


def recipe(name: str) -> Recipe:
    """Return the recipe of this name.

    Raises:
        ValueError: If there is none.

    >>> recipe("shakespeare").steps
    1450
    >>> recipe("shakspere")
    Traceback (most recent call last):
    ...
    ValueError: There is no recipe 'shakspere'. There are: shakespeare-live, shakespeare, ...
    """  # noqa: E501
    for one in RECIPES:
        if one.name == name:
            return one
    raise ValueError(f"There is no recipe {name!r}. There are: {', '.join(names())}.")
