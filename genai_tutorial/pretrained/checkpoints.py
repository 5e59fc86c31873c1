"""Trained models as files: the weights in safetensors, and beside them a card in JSON that says what they are."""

import hashlib
import json
import os
from pathlib import Path

from safetensors import torch as safetensors

from genai_tutorial.pretrained.recipes import names, recipe
from genai_tutorial.tokenization import CharacterTokenizer
from genai_tutorial.transformer import DecoderConfig, DecoderLM

PUBLISHED = Path(__file__).parent / "checkpoints"
"""The folder of the models that come with the package."""


def card(name: str, folder: Path | str | None = None) -> dict:
    """Returns a trained model's card: its recipe, how it was trained and on what, and how good it is.

    Args:
        name: The name of a recipe.
        folder: Where `train` wrote the model; None for the models that come with the package.

    Raises:
        ValueError: If there is no such recipe.
        FileNotFoundError: If the model has not been trained there.

    >>> card("shakespeare")["metrics"]["held_out_plays"]
    ['Macbeth', 'Twelfth Night']
    """
    recipe(name)
    path = (PUBLISHED if folder is None else Path(folder)) / f"{name}.json"
    if not path.is_file():
        with_files = ", ".join(one for one in names() if (PUBLISHED / f"{one}.json").is_file())
        where = "The package carries no" if folder is None else f"{path.parent} has no"
        raise FileNotFoundError(
            f"{where} trained model {name!r}: train it with `genai-tutorial train {name}` and load it from the folder "
            f"that this names, or take one that comes with the package ({with_files or 'none'})."
        )
    return json.loads(path.read_text(encoding="utf-8"))


def load(name: str, folder: Path | str | None = None) -> tuple[DecoderLM, CharacterTokenizer]:
    """Loads a trained model and its tokenizer, ready to use on the CPU.

    Args:
        name: The name of a recipe.
        folder: Where `train` wrote the model; None for the models that come with the package.

    Raises:
        ValueError: If there is no such recipe, or the file is not the one that its card describes.
        FileNotFoundError: If the model has not been trained there.

    >>> model, tokenizer = load("shakespeare")
    >>> import torch
    >>> model(torch.tensor([tokenizer.encode("To be, or not to b")])).argmax(-1)[0, -1] == tokenizer.encode("e")[0]
    tensor(True)
    """
    about = card(name, folder)
    path = (PUBLISHED if folder is None else Path(folder)) / f"{name}.safetensors"
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != about["sha256"]:
        raise ValueError(
            f"{path.name} is not the file that {name}.json describes; it may be damaged. "
            f"Restore both, or make them again with `genai-tutorial train {name}`."
        )
    model = DecoderLM(DecoderConfig(**about["recipe"]["config"]))
    model.load_state_dict({key: weight.float() for key, weight in safetensors.load(content).items()})
    return model.eval(), CharacterTokenizer.from_dict(about["tokenizer"])


def write_pretrained(model: DecoderLM, about: dict, folder: Path) -> None:
    """Writes a model's weights in 16 bits, and then its card, each whole or not at all."""
    content = safetensors.save({key: weight.half().cpu().contiguous() for key, weight in model.state_dict().items()})
    about = about | {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    _replace(folder / f"{about['name']}.safetensors", content)
    _replace(folder / f"{about['name']}.json", (json.dumps(about, indent=2) + "\n").encode())


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
