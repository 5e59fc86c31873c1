"""Checkpoints of models that are split over several processes: each process writes its
part, and any number of processes can read them.

A checkpoint is a folder of safetensors files and one JSON file. Like the single file,
it contains no code. (The default format of `torch.distributed.checkpoint` contains a
pickle; its safetensors format does not.)
"""

import json
import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import Tensor, distributed

from .checkpoint import pack, unpack
from .distributed import is_first_process

FORMAT = "genai_tutorial sharded checkpoint 1"
STATE = "state.json"


def save_sharded(folder: Path | str, state: dict[str, Any]) -> None:
    """Write a run's state into `folder/step-N`, where N is `state["step"]`; all
    processes call this together.
    """
    from torch.distributed import checkpoint as dcp

    folder = Path(folder)
    tree, tensors = pack(state, _itself)
    complete = folder / _name(state["step"])
    temporary = complete.with_name(f"{complete.name}.tmp")
    if is_first_process():
        # left by a run that was killed while saving
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
    _wait_for_all()
    writer = dcp.HuggingFaceStorageWriter(str(temporary), save_distributed=True)
    with _quiet_alone():
        dcp.save(tensors, storage_writer=writer)
    if is_first_process():
        with open(temporary / STATE, "w", encoding="utf-8") as file:
            json.dump({"format": FORMAT, "tree": tree}, file)
            file.flush()
            os.fsync(file.fileno())
        shutil.rmtree(complete, ignore_errors=True)
        os.replace(temporary, complete)
        for step in _steps(folder):
            if step != state["step"]:
                shutil.rmtree(folder / _name(step))
    _wait_for_all()


def load_sharded(folder: Path | str, state: dict[str, Any]) -> dict[str, Any]:
    """Read the newest step of a folder; all processes call this together, however many
    there are now.
    """
    from torch.distributed import checkpoint as dcp

    step = latest_step(folder)
    if step is None:
        raise FileNotFoundError(f"There is no checkpoint in {folder}.")
    path = Path(folder) / _name(step)
    _, tensors = pack(state, _itself)
    try:
        content = json.loads((path / STATE).read_text(encoding="utf-8"))
        reader = dcp.HuggingFaceStorageReader(str(path))
        saved = reader.read_metadata().state_dict_metadata
    except (OSError, ValueError, SafetensorError) as error:
        raise ValueError(
            f"{path} is damaged: delete it and train again, or restore it from a copy."
        ) from error
    if content.get("format") != FORMAT:
        raise ValueError(
            f"{path} is not a sharded checkpoint of this package (format "
            f"{content.get('format')!r})."
        )
    if different := saved.keys() ^ tensors.keys():
        raise ValueError(
            f"{path} is from another run: only one of the two has "
            f"{sorted(different)[0]!r}."
        )
    for name, tensor in tensors.items():
        if saved[name].size != tensor.shape:
            raise ValueError(
                f"{path} is from another run: {name!r} has the shape "
                f"{tuple(saved[name].size)} there, and "
                f"{tuple(tensor.shape)} here."
            )
    with _quiet_alone():
        dcp.load(tensors, storage_reader=reader)
    return unpack(content["tree"], tensors)


def latest_step(folder: Path | str) -> int | None:
    """Return the latest step in a folder, or None."""
    return max(_steps(Path(folder)), default=None)


def _name(step: int) -> str:
    return f"step-{step:09d}"


def _steps(folder: Path) -> list[int]:
    names = [path.name.removeprefix("step-") for path in folder.glob("step-*")]
    return [int(name) for name in names if name.isdecimal()]


def _itself(tensor: Tensor) -> Tensor:
    return tensor


@contextmanager
def _quiet_alone() -> Iterator[None]:
    """Silence torch's warning that there is only one process."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "torch.distributed is disabled, unavailable or uninitialized"
        )
        yield


def _wait_for_all() -> None:
    if distributed.is_initialized():
        distributed.barrier()
