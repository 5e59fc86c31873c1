"""Trained models as files: the weights in safetensors, and beside them a card in JSON
that says what they are.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from safetensors import torch as safetensors
from torch import Tensor, nn

from genai_tutorial.pretrained.recipe import Recipe
from genai_tutorial.pretrained.recipes import names, recipe

PUBLISHED = Path(__file__).parent / "checkpoints"
"""The folder of the models that come with the package."""


def card(name: str, folder: Path | str | None = None) -> dict:
    """Return a trained model's card: its recipe, how it was trained and on what, and
    how good it is.

    Args:
        name: The name of a recipe.
        folder: Where `train` wrote the model; None for the models that come with the
            package.

    Raises:
        ValueError: If there is no such recipe.
        FileNotFoundError: If the model has not been trained there.

    >>> card("shakespeare")["metrics"]["held_out_plays"]
    ['Macbeth', 'Twelfth Night']
    """
    recipe(name)
    path = (PUBLISHED if folder is None else Path(folder)) / f"{name}.json"
    if not path.is_file():
        with_files = ", ".join(
            one for one in names() if (PUBLISHED / f"{one}.json").is_file()
        )
        where = "The package carries no" if folder is None else f"{path.parent} has no"
        raise FileNotFoundError(
            f"{where} trained model {name!r}: train it with `genai-tutorial train "
            f"{name}` and load it from the folder "
            "that this names, or take one that comes with the package "
            f"({with_files or 'none'})."
        )
    return json.loads(path.read_text(encoding="utf-8"))


def load(name: str, folder: Path | str | None = None) -> Any:
    """Load a trained model, ready to use on the CPU.

    Args:
        name: The name of a recipe.
        folder: Where `train` wrote the model; None for the models that come with the
            package.

    Returns:
        The model; a language model comes as a pair with its tokenizer. The recipe's
        `ready` says what it is.

    Raises:
        ValueError: If there is no such recipe, or the file is not the one that its card
            describes.
        FileNotFoundError: If the model has not been trained there.

    >>> model, tokenizer = load("shakespeare")
    >>> import torch
    >>> model(torch.tensor([tokenizer.encode("To be, or not to b")])).argmax(-1)[
    ...     0, -1
    ... ] == tokenizer.encode("e")[0]
    tensor(True)
    """
    about = card(name, folder)
    path = (PUBLISHED if folder is None else Path(folder)) / f"{name}.safetensors"
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != about["sha256"]:
        raise ValueError(
            f"{path.name} is not the file that {name}.json describes; it may be "
            "damaged. "
            f"Restore both, or make them again with `genai-tutorial train {name}`."
        )
    chosen = recipe(name)
    model = build(chosen, about)
    model.load_state_dict(
        {key: _wide(weight) for key, weight in safetensors.load(content).items()}
    )
    return chosen.ready(model.eval(), about)


def build(chosen: Recipe, about: dict) -> nn.Module:
    """Return the model that a card describes, its weights not read yet; JSON's lists
    are tuples in a recipe.
    """
    return chosen.build(about | {"recipe": _with_tuples(about["recipe"])})


def build_rounded(chosen: Recipe, about: dict, trained: nn.Module) -> nn.Module:
    """Return the model as its file will hold it: on the CPU, each weight rounded to 16
    bits.
    """
    model = build(chosen, about)
    model.load_state_dict(
        {key: _wide(_narrow(weight)) for key, weight in trained.state_dict().items()}
    )
    return model.eval()


def write_pretrained(model: nn.Module, about: dict, folder: Path) -> None:
    """Write a model's weights in 16 bits, and then its card, each whole or not at
    all.
    """
    content = safetensors.save(
        {
            key: _narrow(weight).contiguous()
            for key, weight in model.state_dict().items()
        }
    )
    about = about | {
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
    }
    replace_file(folder / f"{about['name']}.safetensors", content)
    replace_file(
        folder / f"{about['name']}.json", (json.dumps(about, indent=2) + "\n").encode()
    )


def _with_tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_tuples(item) for key, item in value.items()}
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value


def _narrow(weight: Tensor) -> Tensor:
    return (
        weight.half().cpu() if weight.is_floating_point() else weight.cpu()
    )  # a counter stays a whole number


def _wide(weight: Tensor) -> Tensor:
    return weight.float() if weight.is_floating_point() else weight


def replace_file(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
