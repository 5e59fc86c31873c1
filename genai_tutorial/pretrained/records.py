"""Records: results of measurements that take too long for a chapter. Scripts in
`benchmarks/` produced them, and they are part of the package.
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
    """Return the results of the script `benchmarks/NAME.py`.

    Raises:
        FileNotFoundError: If the package has no such record; the message lists the
            available ones.

    >>> record("diffusion_steps")["images"]
    1000
    >>> record("diffusion_step")
    Traceback (most recent call last):
    ...
    FileNotFoundError: There is no record 'diffusion_step'. There are: ...
    """
    path = RECORDS / f"{name}.json"
    if not path.is_file():
        there = ", ".join(sorted(file.stem for file in RECORDS.glob("*.json")))
        raise FileNotFoundError(f"There is no record {name!r}. There are: {there}.")
    return json.loads(path.read_text(encoding="utf-8"))


def keep_record(name: str, measured: dict, folder: Path = RECORDS) -> None:
    """Write a script's results, atomically."""
    text = json.dumps(measured, indent=1, allow_nan=False) + "\n"
    with write_atomically(folder / f"{name}.json", "w") as file:
        file.write(text)


def recorded_images(name: str, kind: str) -> Float[Tensor, "n 3 side side"]:
    """Return the images of one kind that a script saved with its results; values from 0
    to 1.

    Raises:
        FileNotFoundError: If there are none; the message lists those that exist.
    """
    path = _path(name, kind)
    if not path.is_file():
        there = ", ".join(sorted(file.stem for file in RECORDS.glob("*.png")))
        raise FileNotFoundError(
            f"There are no images {path.stem!r}. There are: {there}."
        )
    with Image.open(path) as row:
        pixels = torch.from_numpy(np.array(row.convert("RGB"))).permute(2, 0, 1) / 255
    return torch.stack(pixels.split(pixels.shape[1], dim=2))


def keep_images(
    name: str, kind: str, images: Float[Tensor, "n 3 side side"], folder: Path = RECORDS
) -> None:
    """Write square images side by side into one lossless PNG, atomically."""
    pixels = (255 * torch.cat(list(images), dim=2)).round().byte().permute(1, 2, 0)
    row = Image.fromarray(pixels.numpy())
    with write_atomically(folder / _path(name, kind).name) as file:
        row.save(file, "PNG", optimize=True)


def _path(name: str, kind: str) -> Path:
    return RECORDS / f"{name}_{kind.replace(' ', '_')}.png"
