"""Records: results of measurements that take too long for a chapter. Scripts in
`benchmarks/` produced them, and they are part of the package.
"""

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from .files import write_atomically
from .machine import describe_machine

RECORDS = Path(__file__).parents[1] / "pretrained" / "records"
"""The folder of the records that come with the package."""


def read_json(path: Path) -> dict:
    """Read a JSON file that holds named values.

    Raises:
        ValueError: If the file is no JSON, or holds something else.
        OSError: If it cannot be read.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{path} is not JSON ({error}), so it is damaged: copy it again."
        ) from error
    if not isinstance(content, dict):
        raise ValueError(
            f"{path} holds a {type(content).__name__} instead of named values: copy it "
            "again."
        )
    return content


def record(name: str) -> dict:
    """Return the results of the script `benchmarks/NAME.py`.

    Raises:
        FileNotFoundError: If the package has no such record; the message lists the
            available ones.
        ValueError: If the file is damaged.

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
    return read_json(path)


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


MeasuredPart = Callable[[int, bool], dict]
"""Called as `part(seed, small)`; returns the measurements as a JSON document."""


def run_parts(
    name: str,
    parts: Mapping[str, MeasuredPart],
    description: str,
    arguments: Sequence[str] | None = None,
    record: Path | None = None,
) -> dict | None:
    """Run a script's parts from the command line, and return the whole record.

    Each part and seed is one file in a folder and is not repeated. The record keeps
    what it has of parts and seeds without a file, and the machine that it began on;
    each new run names its own processor.

    Args:
        parts: The parts by name, in their order.
        description: Help text of the script.
        arguments: Arguments of the command line; by default the program's.
        record: File of the present record; by default the package's.

    Returns:
        The record, or None for `--smoke`, which measures little and keeps nothing.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--folder", type=Path, default=Path("runs"))
    parser.add_argument("--parts", nargs="*", choices=parts, default=list(parts))
    parser.add_argument("--seeds", type=int, nargs="*", default=list(range(5)))
    parser.add_argument("--smoke", action="store_true")
    settings = parser.parse_args(arguments)
    torch.set_num_threads(1)
    for seed in settings.seeds:
        for part in settings.parts:
            path = settings.folder / f"{name}_{part}_{seed}.json"
            if path.is_file() and not settings.smoke:
                continue
            start = time.process_time()
            measured = parts[part](seed, settings.smoke)
            measured["seconds"] = round(time.process_time() - start, 1)
            measured["processor"] = describe_machine()["processor"]
            print(f"{part}, seed {seed}: {measured['seconds']} s", flush=True)
            if not settings.smoke:
                path.parent.mkdir(parents=True, exist_ok=True)
                with write_atomically(path, "w") as file:
                    json.dump(measured, file)
    if settings.smoke:
        return None
    record = record or RECORDS / f"{name}.json"
    kept = read_json(record) if record.is_file() else {}
    whole: dict = {"machine": kept.get("machine", describe_machine())}
    for part in parts:
        runs = dict(kept.get(part, {}))
        for path in settings.folder.glob(f"{name}_{part}_[0-9]*.json"):
            runs[path.stem.rpartition("_")[2]] = read_json(path)
        if runs:
            whole[part] = {seed: runs[seed] for seed in sorted(runs, key=int)}
    return whole
