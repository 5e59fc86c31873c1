"""Checkpoints: everything that a run needs to resume exactly, in one file.

The file is in the safetensors format: the tensors, and in its header all other values
as JSON. It contains no code, so unlike a pickle, a checkpoint from a stranger can be
read safely.
"""

import hashlib
import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from genai_tutorial.runtime import write_atomically

FORMAT = "genai_tutorial checkpoint 1"

Keys = tuple[Any, ...]
"""The path to a value in a state: dictionary keys and list positions."""


def save_checkpoint(path: Path | str, state: dict) -> None:
    """Write a run's state: nested dicts, lists and tuples of tensors, numbers and
    strings.

    The write is atomic: the file is written under another name and renamed once it is
    on the disk. A process that is killed in between leaves the previous checkpoint.

    Raises:
        TypeError: If the state holds a value of another type.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_checkpoint(
    ...         f"{folder}/run.safetensors",
    ...         {"step": 3, "model": {"weight": torch.ones(2)}},
    ...     )
    ...     load_checkpoint(f"{folder}/run.safetensors")
    {'step': 3, 'model': {'weight': tensor([1., 1.])}}
    """
    path = Path(path)
    tree, tensors = pack(state, _copy)
    header = {"format": FORMAT, "tree": json.dumps(tree), "digest": _digest(tensors)}
    with write_atomically(path) as file:
        file.write(save(tensors, metadata=header))


def load_checkpoint(path: Path | str) -> dict:
    """Read a file that `save_checkpoint` wrote; the tensors are on the CPU.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged or not a checkpoint.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no checkpoint at {path}.")
    damaged = (
        f"{path.name} is damaged or incomplete: delete it and train again, or restore "
        "it from a copy."
    )
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (it is not a dict)
    except (SafetensorError, OSError) as error:
        raise ValueError(damaged) from error
    if header.get("format") != FORMAT:
        raise ValueError(
            f"{path.name} is not a training checkpoint of this package (format "
            f"{header.get('format')!r})."
        )
    if header.get("digest") != _digest(tensors):
        raise ValueError(damaged)
    return unpack(json.loads(header["tree"]), tensors)


def random_state() -> dict[str, Any]:
    """Return the state of the random generators of Python, NumPy and torch."""
    kind, keys, *position = np.random.get_state()  # noqa: NPY002  (the one that libraries share)
    return {
        "python": random.getstate(),
        "numpy": (kind, [int(key) for key in keys], *position),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def set_random_state(state: dict[str, Any]) -> None:
    """Restore the random generators to the result of `random_state`."""
    random.setstate(state["python"])
    np.random.set_state(state["numpy"])  # noqa: NPY002
    torch.set_rng_state(state["torch"])
    if torch.cuda.is_available() and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])


def pack(state: Any, hold: Callable[[Tensor], Tensor]) -> tuple[Any, dict[str, Tensor]]:
    """Split a state into a tree for JSON and the tensors, under names like
    `model.head.weight`.
    """
    leaves: list[tuple[Keys, dict[str, Any], Tensor]] = []
    tree = _pack(state, (), leaves)
    times = Counter(_dotted(keys) for keys, _, _ in leaves)
    tensors = {}
    for keys, leaf, tensor in leaves:
        name = _dotted(keys)
        if times[name] > 1 or not _is_usable(name):
            name = json.dumps(keys)
        leaf["name"] = name
        tensors[name] = hold(tensor.detach())
    return tree, tensors


def _pack(
    value: Any, keys: Keys, leaves: list[tuple[Keys, dict[str, Any], Tensor]]
) -> Any:
    if isinstance(value, Tensor):
        leaf = {"kind": "tensor"}
        leaves.append((keys, leaf, value))
        return leaf
    if isinstance(value, dict):
        items = [
            [_plain(key, keys), _pack(item, (*keys, key), leaves)]
            for key, item in value.items()
        ]
        return {"kind": "dict", "items": items}
    if isinstance(value, (list, tuple)):
        if all(isinstance(item, (int, float, str)) for item in value):
            return {"kind": type(value).__name__, "plain": list(value)}
        items = [
            _pack(item, (*keys, position), leaves)
            for position, item in enumerate(value)
        ]
        return {"kind": type(value).__name__, "items": items}
    return _plain(value, keys)


def _dotted(keys: Keys) -> str:
    return ".".join(map(str, keys))


def _is_usable(name: str) -> bool:
    """Return whether safetensors allows a name that cannot be confused with JSON."""
    half_character = any("\ud800" <= letter <= "\udfff" for letter in name)
    return not (name in ("", "__metadata__") or name.startswith("[") or half_character)


def _copy(tensor: Tensor) -> Tensor:
    # A copy, because safetensors rejects tensors that share memory.
    return tensor.to("cpu", copy=True).contiguous()


def _plain(value: Any, keys: Keys) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(
        "A checkpoint holds tensors, numbers, strings, dicts, lists and tuples; "
        f"{_dotted(keys) or 'the state'} has a "
        f"{type(value).__name__}."
    )


def unpack(tree: Any, tensors: dict[str, Tensor]) -> Any:
    """Reassemble a state that `pack` has split."""
    if not isinstance(tree, dict):
        return tree
    if tree["kind"] == "tensor":
        return tensors[tree["name"]]
    if tree["kind"] == "dict":
        return {key: unpack(item, tensors) for key, item in tree["items"]}
    items = (
        tree["plain"]
        if "plain" in tree
        else [unpack(item, tensors) for item in tree["items"]]
    )
    return tuple(items) if tree["kind"] == "tuple" else items


def _digest(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
