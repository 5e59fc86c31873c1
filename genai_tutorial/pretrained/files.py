"""Trained models as files: weights in safetensors, and beside them a card in JSON."""

import hashlib
import json
from pathlib import Path

from safetensors import torch as safetensors
from torch import Tensor, nn

from genai_tutorial.runtime import write_atomically

PUBLISHED = Path(__file__).parent / "checkpoints"
"""The folder of the models that come with the package."""


def read_card(name: str, folder: Path | str | None = None) -> dict:
    """Return a trained model's card.

    Args:
        name: The model's name.
        folder: Where `train` wrote the model; None for the models that come with the
            package.

    Raises:
        FileNotFoundError: If the model has not been trained there.
    """
    path = _folder(folder) / f"{name}.json"
    if not path.is_file():
        published = ", ".join(sorted(file.stem for file in PUBLISHED.glob("*.json")))
        where = "The package carries no" if folder is None else f"{path.parent} has no"
        raise FileNotFoundError(
            f"{where} trained model {name!r}: train it with `genai-tutorial train "
            f"{name}` and load it from the folder that this names, or take one that "
            f"comes with the package ({published or 'none'})."
        )
    return json.loads(path.read_text(encoding="utf-8"))


def read_weights(card: dict, folder: Path | str | None = None) -> dict[str, Tensor]:
    """Return the weights that a card describes, in 32 bits.

    Raises:
        ValueError: If the file is not the one that the card describes.
    """
    name = card["name"]
    path = _folder(folder) / f"{name}.safetensors"
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != card["sha256"]:
        raise ValueError(
            f"{path.name} is not the file that {name}.json describes; it may be "
            "damaged. Restore both, or make them again with `genai-tutorial train "
            f"{name}`."
        )
    return {key: _widen(weight) for key, weight in safetensors.load(content).items()}


def write_pretrained(model: nn.Module, card: dict, folder: Path) -> None:
    """Write a model's weights in 16 bits, then its card, each whole or not at all."""
    content = safetensors.save(
        {
            key: _narrow(weight).contiguous()
            for key, weight in model.state_dict().items()
        }
    )
    card = card | {
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
    }
    with write_atomically(folder / f"{card['name']}.safetensors") as file:
        file.write(content)
    with write_atomically(folder / f"{card['name']}.json", "w") as file:
        file.write(json.dumps(card, indent=2) + "\n")


def rounded_weights(model: nn.Module) -> dict[str, Tensor]:
    """Return a model's weights as its file will hold them: on the CPU, rounded to 16
    bits.
    """
    return {key: _widen(_narrow(weight)) for key, weight in model.state_dict().items()}


def _folder(folder: Path | str | None) -> Path:
    return PUBLISHED if folder is None else Path(folder)


def _narrow(weight: Tensor) -> Tensor:
    # A counter stays a whole number.
    return weight.half().cpu() if weight.is_floating_point() else weight.cpu()


def _widen(weight: Tensor) -> Tensor:
    return weight.float() if weight.is_floating_point() else weight
