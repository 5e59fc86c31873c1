"""Letting a trained model write."""

from pathlib import Path

import torch

from genai_tutorial.generation import generate
from genai_tutorial.pretrained.checkpoints import load


def sample_text(
    name: str,
    prompt: str = "\n",
    characters: int = 300,
    *,
    temperature: float | int = 0.8,
    top_p: float | int | None = None,
    seed: int = 0,
    folder: Path | str | None = None,
) -> str:
    """Returns the prompt, continued by a trained model.

    Args:
        name: The name of a recipe.
        prompt: How the text starts; at least one character.
        characters: How many to add.
        temperature: Below 1 the model plays safe, above it takes risks; 0 always takes the likeliest character.
        top_p: Keep only the likeliest characters that together have this probability; None keeps all.
        seed: The same seed gives the same text.
        folder: Where `train` wrote the model; None for the models that come with the package.

    Raises:
        ValueError: If there is no such recipe, the prompt is empty or has unknown characters, or a number is out of
            range.
        FileNotFoundError: If the model has not been trained there.

    >>> sample_text("shakespeare", "To be, or not to b", characters=1, temperature=0)
    'To be, or not to be'
    """
    if not prompt:
        raise ValueError("The prompt is empty: start with at least one character, for example a new line.")
    model, tokenizer = load(name, folder)
    generator = torch.Generator().manual_seed(seed)
    ids = torch.tensor([tokenizer.encode(prompt)])
    written = generate(model, ids, characters, temperature=temperature, top_p=top_p, generator=generator)
    return tokenizer.decode(written[0].tolist())
