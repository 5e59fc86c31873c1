"""Trained models on disk: weights in safetensors, a model card in JSON, and the
tokenizer inside the card or in a file that several models share.
"""

import hashlib
import json
from pathlib import Path

from safetensors import torch as safetensors
from torch import Tensor, nn

from genai_tutorial.runtime import read_json, write_atomically

PUBLISHED = Path(__file__).parent / "checkpoints"
"""The folder of the models that come with the package."""


def read_card(name: str, folder: Path | str | None = None) -> dict:
    """Return a trained model's card.

    Args:
        folder: The output folder of `train`; None for the models that come with the
            package.

    Raises:
        FileNotFoundError: If the model has not been trained there.
        ValueError: If the card is damaged.
    """
    path = _folder(folder) / f"{name}.json"
    if not path.is_file():
        names = sorted(file.stem for file in PUBLISHED.glob("*.safetensors"))
        published = ", ".join(names)
        where = "The package has no" if folder is None else f"{path.parent} has no"
        raise FileNotFoundError(
            f"{where} trained model {name!r}: train it with `genai-tutorial train "
            f"{name}` and load it from the folder that the command prints, or use one "
            f"that comes with the package ({published or 'none'})."
        )
    card = read_json(path)
    kinds = {"name": str, "sha256": str, "recipe": dict, "metrics": dict}
    for key, kind in kinds.items():
        if not isinstance(card.get(key), kind) or card["name"] != name:
            raise ValueError(
                f"{path} is not the card of {name}: it gives {key} as "
                f"{str(card.get(key))[:40]!r}. Restore it with its weights, or make "
                f"both again with `genai-tutorial train {name}`."
            )
    return card


def read_weights(card: dict, folder: Path | str | None = None) -> dict[str, Tensor]:
    """Return the weights that a card describes, in 32 bits.

    Raises:
        ValueError: If the file is not the one that the card describes.
    """
    name = card["name"]
    path = _folder(folder) / f"{name}.safetensors"
    content = _described(path, card["sha256"])
    if content is None:
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
    # only `name`: a card must not refer to files outside its folder
    name, path = card["name"], _folder(folder) / Path(str(card["tokenizer_file"])).name
    if not (path.is_file() or _beside(path).is_file()):
        raise FileNotFoundError(
            f"{path} is missing: {name}.json names it as its tokenizer. Copy it "
            f"beside the card, or make both again with `genai-tutorial train {name}`."
        )
    content = _described(path, card.get("tokenizer_sha256"))
    if content is None:
        raise ValueError(
            f"{path.name} is not the tokenizer that {name}.json describes; another "
            "model may have replaced it. Restore it, or make the model again with "
            f"`genai-tutorial train {name}`."
        )
    return json.loads(content)


def write_pretrained(model: nn.Module, card: dict, folder: Path) -> None:
    """Write a model's weights in 16 bits, its tokenizer if the card names a file for
    it, and the card, so that the folder holds the old model or the new one at any time:
    the new files are kept beside the old ones until the card describes them.
    """
    weights = model.state_dict().items()
    content = safetensors.save({key: _narrow(one).contiguous() for key, one in weights})
    digest = hashlib.sha256(content).hexdigest()
    card = card | {"sha256": digest, "bytes": len(content)}
    files = {folder / f"{card['name']}.safetensors": content}
    if "tokenizer_file" in card:
        shared = (_compact(card["tokenizer"]) + "\n").encode()
        files[folder / card["tokenizer_file"]] = shared
        card = card | {"tokenizer_sha256": hashlib.sha256(shared).hexdigest()}
        del card["tokenizer"]
    for path, content in files.items():
        with write_atomically(_beside(path)) as file:
            file.write(content)
    with write_atomically(folder / f"{card['name']}.json", "w") as file:
        file.write(card_text(card))
    for path in files:
        _beside(path).replace(path)


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


def _described(path: Path, sha256: str | None) -> bytes | None:
    """Return the file with this hash: the one at the path, or the new one that a killed
    `write_pretrained` left beside it.
    """
    for candidate in (path, _beside(path)):
        if candidate.is_file():
            content = candidate.read_bytes()
            if hashlib.sha256(content).hexdigest() == sha256:
                return content
    return None


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.new")


def _compact(value: dict) -> str:
    return json.dumps(value, separators=(",", ":"))


def _folder(folder: Path | str | None) -> Path:
    return PUBLISHED if folder is None else Path(folder)


def _narrow(weight: Tensor) -> Tensor:
    # Counters stay integers.
    return weight.half().cpu() if weight.is_floating_point() else weight.cpu()


def _widen(weight: Tensor) -> Tensor:
    return weight.float() if weight.is_floating_point() else weight
