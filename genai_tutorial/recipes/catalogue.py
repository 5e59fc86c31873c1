"""All recipes of the book, by name: load, train and sample their models."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import platformdirs
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.pretrained import read_card, write_pretrained
from genai_tutorial.runtime import choose_device, describe_machine, seed_everything
from genai_tutorial.training import Checkpoint, process_group

from .arithmetic_reasoner import ARITHMETIC_REASONER
from .bach_chorales import LIVE as CHORALES_LIVE
from .bach_chorales import LONGER as CHORALES
from .digit_classifier import DIGIT_CLASSIFIER
from .digit_models import LIVE as DIGITS_LIVE
from .digit_models import LONGER as DIGITS
from .digit_models import MNIST_GAN
from .emoji_autoencoder import EMOJI_AUTOENCODER
from .factbook import FACTBOOK_BASE
from .factbook_assistants import FACTBOOK_PPO, FACTBOOK_SFT
from .factbook_draft import FACTBOOK_DRAFT
from .families import DIGIT_FAMILIES
from .latent_diffusion import EMOJI_LATENT, SHAPES_LATENT
from .latin import LATIN_LEFT_TO_RIGHT, LATIN_MASKED
from .molecules import MOLECULES, MOLECULES_3D
from .paddle_world import PADDLE_WORLD
from .push_policy import PUSH_POLICY
from .python_exercises import PYTHON_EXERCISES
from .recipe import Recipe, RunSettings, build_rounded, load_recipe
from .sampling import sample, set_options
from .shakespeare import LIVE as SHAKESPEARE_LIVE
from .shakespeare import LONGER as SHAKESPEARE
from .shapes_clip import SHAPES_CLIP
from .shapes_diffusion import SHAPES_DIFFUSION
from .shapes_directed import SHAPES_CONTROL, SHAPES_EDITOR
from .shapes_stream import SHAPES_STREAM
from .shapes_video import SHAPES_VIDEO
from .shapes_vlm import SHAPES_VLM
from .smollm2_tools import SMOLLM2_TOOLS
from .speech import CAPTION_VOICE, SPOKEN_CAPTIONS
from .speech_codec import SPEECH_CODEC

RECIPES: tuple[Recipe, ...] = (
    SHAKESPEARE_LIVE, SHAKESPEARE, DIGIT_CLASSIFIER, DIGITS_LIVE, DIGITS, MNIST_GAN,
    SHAPES_CLIP, SHAPES_DIFFUSION, SHAPES_VLM, SHAPES_STREAM, EMOJI_AUTOENCODER,
    SHAPES_LATENT, EMOJI_LATENT, *DIGIT_FAMILIES, FACTBOOK_BASE, FACTBOOK_SFT,
    FACTBOOK_PPO, FACTBOOK_DRAFT, ARITHMETIC_REASONER, PYTHON_EXERCISES, SHAPES_VIDEO,
    SPOKEN_CAPTIONS, CAPTION_VOICE, SPEECH_CODEC, CHORALES_LIVE, CHORALES,
    SMOLLM2_TOOLS, PADDLE_WORLD, MOLECULES_3D, MOLECULES, LATIN_LEFT_TO_RIGHT,
    LATIN_MASKED, PUSH_POLICY, SHAPES_CONTROL, SHAPES_EDITOR,
)  # fmt: skip
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
        The model; a language model comes as a pair with its tokenizer.

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


SAVE_EVERY = 50
"""Number of steps between two saves of a run."""


def trained_folder() -> Path:
    """Return the default folder of `train`, among the user's data on this system."""
    return platformdirs.user_data_path("genai_tutorial") / "trained"


def train(
    name: str,
    steps: int | None = None,
    resume: bool = False,
    device: str | None = None,
    folder: Path | str | None = None,
    progress: bool = True,
) -> Path:
    """Train a model by its recipe and write it with its card.

    The run is saved regularly in `NAME.run.safetensors`; if it is stopped, even killed,
    call again with `resume=True`, and it ends at the same weights. Under torchrun, the
    processes share each batch. The random generators of Python, NumPy and torch are
    seeded with the recipe's seed.

    Args:
        steps: Number of steps, for a shorter run with the schedule compressed; None for
            the recipe's.
        folder: The folder to write to; None for `trained_folder()`.

    Returns:
        The file with the weights.

    Raises:
        ValueError: If there is no such recipe or device, or the stopped run has other
            settings.
        ImportError: If the package with the data is not installed.
    """
    chosen = recipe(name)
    steps = chosen.steps if steps is None else steps
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}.")
    folder = trained_folder() if folder is None else Path(folder)
    where = choose_device(device)
    # for layers that draw from torch's global generator, such as dropout
    seed_everything(chosen.seed)
    with process_group(where) as process:
        checkpoint = Checkpoint(
            folder / f"{name}.run.safetensors", every=SAVE_EVERY, resume=resume
        )
        trained = chosen.fit(RunSettings(steps, where, process, checkpoint, progress))
        if process.is_first:
            card = {
                "name": name,
                "title": chosen.title,
                "command": f"genai-tutorial train {name}"
                + ("" if steps == chosen.steps else f" --steps {steps}"),
                "recipe": asdict(chosen),
                "parameters": sum(
                    parameter.numel() for parameter in trained.model.parameters()
                ),
                "seed": chosen.seed,
                "steps": steps,
                "seconds": round(trained.seconds),
                "machine": describe_machine(where),
            }
            # the card describes the rounded weights of the file
            rounded = build_rounded(chosen, card, trained.model)
            card |= {
                "metrics": chosen.measure(rounded),
                **trained.notes,
                "data": {
                    name: getattr(chosen.source, name)
                    for name in ("name", "package", "licence", "attribution")
                },
                "licence": "MIT",
            }
            if chosen.tokenizer_file is not None:
                card["tokenizer_file"] = chosen.tokenizer_file
            write_pretrained(rounded, card, folder)
    return folder / f"{name}.safetensors"


def sample_by_name(
    name: str,
    count: int = 16,
    *,
    seed: int = 0,
    folder: Path | str | None = None,
    **options: str | float | int | None,
) -> Float[Tensor, "count *channels height width"]:
    """Return images sampled from a trained model.

    Args:
        folder: The folder that `train` wrote the model to; None for the models that
            come with the package.
        options: The model's own, such as `prompt="a red circle"`, `digit=7`, `steps=50`
            or `guidance=2.0`; options that are not given have its defaults.

    Returns:
        Brightness from 0 to 1; grey images have no dimension for channels, coloured
        ones have three.

    Raises:
        ValueError: If there is no such recipe, its model does not draw, or an option is
            unknown, has the wrong type or is out of range.
        FileNotFoundError: If the model has not been trained there.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}.")
    chosen = recipe(name)
    if chosen.makes != "images":
        raise ValueError(f"{name} draws no images: {chosen.description()}.")
    given = set_options(chosen, options)
    return sample(chosen, load_recipe(chosen, folder), given, count, seed).items
