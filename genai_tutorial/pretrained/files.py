"""Trained models on disk: weights in safetensors, a model card in JSON, and the
tokenizer inside the card or in a file that several models share.
"""

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
        folder: The output folder of `train`; None for the models that come with the
            package.

    Raises:
        FileNotFoundError: If the model has not been trained there.
    """
    path = _folder(folder) / f"{name}.json"
    if not path.is_file():
        published = ", ".join(
            sorted(file.stem for file in PUBLISHED.glob("*.safetensors"))
        )
        where = "The package has no" if folder is None else f"{path.parent} has no"
        raise FileNotFoundError(
            f"{where} trained model {name!r}: train it with `genai-tutorial train "
            f"{name}` and load it from the folder that the command prints, or use one "
            f"that comes with the package ({published or 'none'})."
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


def read_tokenizer(card: dict, folder: Path | str | None = None) -> dict | None:
    """Return a card's saved tokenizer, from its tokenizer file if it names one; None if
    it has none.

    Raises:
        FileNotFoundError: If the tokenizer file is missing.
        ValueError: If the file is not the one that the card describes.
    """
    if "tokenizer_file" not in card:
        return card.get("tokenizer")
    name, path = card["name"], _folder(folder) / card["tokenizer_file"]
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing: {name}.json names it as its tokenizer. Copy it "
            f"beside the card, or make both again with `genai-tutorial train {name}`."
        )
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != card["tokenizer_sha256"]:
        raise ValueError(
            f"{path.name} is not the tokenizer that {name}.json describes; another "
            "model may have replaced it. Restore it, or make the model again with "
            f"`genai-tutorial train {name}`."
        )
    return json.loads(content)


def write_pretrained(model: nn.Module, card: dict, folder: Path) -> None:
    """Write a model's weights in 16 bits, its tokenizer if the card names a file for
    it, and then the card, each of them atomically.
    """
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
    if "tokenizer_file" in card:
        shared = (_compact(card["tokenizer"]) + "\n").encode()
        with write_atomically(folder / card["tokenizer_file"]) as file:
            file.write(shared)
        card = card | {"tokenizer_sha256": hashlib.sha256(shared).hexdigest()}
        del card["tokenizer"]
    with write_atomically(folder / f"{card['name']}.json", "w") as file:
        file.write(card_text(card))


def card_text(card: dict) -> str:
    """Return a card as JSON, indented, with the tokenizer on one line."""
    if "tokenizer" not in card:
        return json.dumps(card, indent=2) + "\n"
    text = json.dumps(card | {"tokenizer": None}, indent=2)
    key = '  "tokenizer": '
    return text.replace(f"{key}null", key + _compact(card["tokenizer"])) + "\n"


def rounded_weights(model: nn.Module) -> dict[str, Tensor]:
    """Return a model's weights as they will be saved: on the CPU, rounded to 16
    bits.
    """
    return {key: _widen(_narrow(weight)) for key, weight in model.state_dict().items()}


def _compact(value: dict) -> str:
    return json.dumps(value, separators=(",", ":"))


def _folder(folder: Path | str | None) -> Path:
    return PUBLISHED if folder is None else Path(folder)


def _narrow(weight: Tensor) -> Tensor:
    # Counters stay integers.
    return weight.half().cpu() if weight.is_floating_point() else weight.cpu()


def _widen(weight: Tensor) -> Tensor:
    return weight.float() if weight.is_floating_point() else weight
