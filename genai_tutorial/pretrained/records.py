"""Measurements that take longer than a chapter may: a script in `benchmarks/` made
each, and the package carries it.
"""

import json
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from genai_tutorial.runtime import write_atomically

RECORDS = Path(__file__).parent / "records"
"""The folder of the records that come with the package."""


def record(name: str) -> dict:
    """Return what the script `benchmarks/NAME.py` has measured.

    Raises:
        FileNotFoundError: If the package has no such record; the message says which it
            has.

    >>> record("diffusion_steps")["images"]
    1000
    >>> record("diffusion_step")
    Traceback (most recent call last):
    ...
    FileNotFoundError: There is no record 'diffusion_step'. There are: diffusion_steps, ...
    """  # noqa: E501
    path = RECORDS / f"{name}.json"
    if not path.is_file():
        there = ", ".join(sorted(file.stem for file in RECORDS.glob("*.json")))
        raise FileNotFoundError(f"There is no record {name!r}. There are: {there}.")
    return json.loads(path.read_text(encoding="utf-8"))


def keep_record(name: str, measured: dict, folder: Path = RECORDS) -> None:
    """Write what a script has measured, whole or not at all."""
    text = json.dumps(measured, indent=1, allow_nan=False) + "\n"
    with write_atomically(folder / f"{name}.json", "w") as file:
        file.write(text)


def recorded_images(name: str, kind: str) -> Float[Tensor, "n 3 side side"]:
    """Return the pictures of one kind that a script has kept beside its measurements;
    values from 0 to 1.

    Raises:
        FileNotFoundError: If the package has none; the message says which it has.
    """
    path = _path(name, kind)
    if not path.is_file():
        there = ", ".join(sorted(file.stem for file in RECORDS.glob("*.png")))
        raise FileNotFoundError(
            f"There are no pictures {path.stem!r}. There are: {there}."
        )
    with Image.open(path) as row:
        pixels = torch.from_numpy(np.array(row.convert("RGB"))).permute(2, 0, 1) / 255
    return torch.stack(pixels.split(pixels.shape[1], dim=2))


def keep_images(
    name: str, kind: str, images: Float[Tensor, "n 3 side side"], folder: Path = RECORDS
) -> None:
    """Write square pictures side by side into one PNG without loss, whole or not at
    all.
    """
    pixels = (255 * torch.cat(list(images), dim=2)).round().byte().permute(1, 2, 0)
    row = Image.fromarray(pixels.numpy())
    with write_atomically(folder / _path(name, kind).name) as file:
        row.save(file, "PNG", optimize=True)


def _path(name: str, kind: str) -> Path:
    return RECORDS / f"{name}_{kind.replace(' ', '_')}.png"
