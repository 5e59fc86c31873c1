"""Checkpoints: everything that a run needs to resume exactly, in one file.

The file is in the safetensors format: the tensors, and in its header all other values
as JSON. It contains no code, so unlike a pickle, a checkpoint from a stranger can be
read safely.
"""

import hashlib
import json
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from genai_tutorial.runtime import remove_unfinished, write_atomically

from .distributed import is_first_process, is_sharded

FORMAT = "genai_tutorial checkpoint 2"

_BROKEN = (AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""The errors raised by reading a tree that `_split` has not written."""

_Leaves = list[tuple[tuple[Any, ...], dict[str, Any], Tensor]]
"""The tensors of a state, each with the keys that lead to it and its place in the tree.
"""


def save_checkpoint(path: Path | str, state: dict) -> None:
    """Write a run's state: nested dicts, lists and tuples of tensors, numbers and
    strings. A process that is killed meanwhile leaves the previous checkpoint.

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
    structure, tensors = _split(state)
    tree = json.dumps(structure)
    header = {"format": FORMAT, "tree": tree, "digest": _digest(tensors, tree)}
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
    file_format, tree = header.get("format"), header.get("tree", "")
    if file_format != FORMAT:
        raise ValueError(
            f"{path.name} is not a training checkpoint of this package (format "
            f"{file_format!r})."
        )
    whole = header.get("digest") == _digest(tensors, tree)
    try:
        state = _join(json.loads(tree), tensors) if whole else None
    except _BROKEN as error:
        raise ValueError(damaged) from error
    if not isinstance(state, dict):
        raise ValueError(damaged)
    return state


def _random_state() -> dict[str, Any]:
    """Return the state of the random generators of Python, NumPy and torch."""
    kind, keys, *position = np.random.get_state()  # noqa: NPY002  (the one that libraries share)
    return {
        "python": random.getstate(),
        "numpy": (kind, [int(key) for key in keys], *position),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def _set_random_state(state: dict[str, Any]) -> None:
    """Restore the random generators to the result of `_random_state`."""
    random.setstate(state["python"])
    np.random.set_state(state["numpy"])  # noqa: NPY002
    torch.set_rng_state(state["torch"])
    if torch.cuda.is_available() and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])


def _split(state: Any) -> tuple[Any, dict[str, Tensor]]:
    """Split a state into a tree for JSON and the tensors, under names like
    `model.head.weight`.
    """
    leaves: _Leaves = []
    tree = _tree(state, (), leaves)
    times = Counter(_dotted(keys) for keys, _, _ in leaves)
    tensors = {}
    for keys, leaf, tensor in leaves:
        name = _dotted(keys)
        if times[name] > 1 or not _is_usable(name):
            name = json.dumps(keys)
        leaf["name"] = name
        # A copy, because safetensors rejects tensors that share memory.
        tensors[name] = tensor.detach().to("cpu", copy=True).contiguous()
    return tree, tensors


def _tree(value: Any, keys: tuple[Any, ...], leaves: _Leaves) -> Any:
    if isinstance(value, Tensor):
        leaf = {"kind": "tensor"}
        leaves.append((keys, leaf, value))
        return leaf
    if isinstance(value, dict):
        items = [
            [_plain(key, keys), _tree(item, (*keys, key), leaves)]
            for key, item in value.items()
        ]
        return {"kind": "dict", "items": items}
    if isinstance(value, (list, tuple)):
        if all(isinstance(item, (int, float, str)) for item in value):
            return {"kind": type(value).__name__, "plain": list(value)}
        items = [
            _tree(item, (*keys, position), leaves)
            for position, item in enumerate(value)
        ]
        return {"kind": type(value).__name__, "items": items}
    return _plain(value, keys)


def _plain(value: Any, keys: tuple[Any, ...]) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(
        "A checkpoint holds tensors, numbers, strings, dicts, lists and tuples; "
        f"{_dotted(keys) or 'the state'} has a {type(value).__name__}."
    )


def _dotted(keys: tuple[Any, ...]) -> str:
    return ".".join(map(str, keys))


def _is_usable(name: str) -> bool:
    """Return whether safetensors allows a name that cannot be confused with JSON."""
    half_character = any("\ud800" <= letter <= "\udfff" for letter in name)
    return not (name in ("", "__metadata__") or name.startswith("[") or half_character)


def _join(tree: Any, tensors: dict[str, Tensor]) -> Any:
    """Reassemble a state that `_split` has split."""
    if not isinstance(tree, dict):
        return tree
    if tree["kind"] == "tensor":
        return tensors[tree["name"]]
    if tree["kind"] == "dict":
        return {key: _join(item, tensors) for key, item in tree["items"]}
    items = (
        tree["plain"]
        if "plain" in tree
        else [_join(item, tensors) for item in tree["items"]]
    )
    return tuple(items) if tree["kind"] == "tuple" else items


def _digest(tensors: dict[str, Tensor], tree: str) -> str:
    """Return the SHA-256 of the tree and of the tensors with dtypes and shapes."""
    digest = hashlib.sha256(tree.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


@dataclass
class RunState:
    """Everything that determines how a training run continues, except its settings: its
    models, optimizers, batches and averages by their names in the file (None for a part
    that this run does without), its schedule, and the generators that it draws from.
    """

    parts: Mapping[str, Any]
    schedule: Callable[[int], float] | None
    generators: Sequence[torch.Generator]

    def resume(self, checkpoint: "Checkpoint") -> dict | None:
        """Load a checkpoint if there is one to resume from, and return its history."""
        if not hasattr(self.parts["batches"], "state_dict"):
            raise ValueError(
                "A run can be resumed only if its batches can: give them state_dict "
                "and load_state_dict, as TokenBatches has, or leave out the checkpoint."
            )
        if any(map(is_sharded, self.parts.values())):
            raise ValueError(
                "Each process has only a part of this model, so no process can save "
                "it: train it without a checkpoint."
            )
        if is_first_process():
            remove_unfinished(checkpoint.path)
        if not checkpoint.resume or not checkpoint.path.exists():
            return None
        state = load_checkpoint(checkpoint.path)
        self._load(state, checkpoint.path.name)
        return state["history"]

    def save(self, checkpoint: "Checkpoint", step: int, history: dict) -> None:
        """Write a checkpoint after a step; of several processes, the first does."""
        if not is_first_process():
            return
        parts = {
            name: None if part is None else part.state_dict()
            for name, part in self.parts.items()
        }
        state = {
            "step": step,
            **parts,
            "schedule": _settings_of(self.schedule),
            "generators": [generator.get_state() for generator in self.generators],
            "random": _random_state(),
            "history": history,
        }
        save_checkpoint(checkpoint.path, state)

    def _load(self, state: dict[str, Any], file_name: str) -> None:
        again = "delete the file to start again"
        others = {"step", "schedule", "generators", "random", "history"}
        if state.keys() != self.parts.keys() | others:
            raise ValueError(f"{file_name} is from another kind of run: {again}.")
        for name, part in self.parts.items():
            if (state[name] is None) != (part is None):
                has, needs = ("no", "one") if part is not None else ("an", "none")
                raise ValueError(
                    f"{file_name} has {has} {name}, and this run needs {needs}: "
                    f"{again}."
                )
        schedule = _settings_of(self.schedule)
        if state["schedule"] != schedule:
            raise ValueError(
                f"{file_name} is from a run with the schedule {state['schedule']}, and "
                f"this one has {schedule}: resume with the same, or {again}."
            )
        try:
            for name, part in self.parts.items():
                if part is not None:
                    part.load_state_dict(state[name])
            for generator, saved in zip(
                self.generators, state["generators"], strict=True
            ):
                generator.set_state(saved)
            _set_random_state(state["random"])
        except (*_BROKEN, RuntimeError) as error:
            raise ValueError(
                f"{file_name} is from another model or optimizer: {error}"
            ) from error


@dataclass(frozen=True)
class Checkpoint:
    """The file that a run is saved in and resumed from, and how often.

    Attributes:
        path: The file, ending in .safetensors.
        every: Number of steps between two saves; a run is also saved at its end.
        resume: If true, resume from the file if it exists.
    """

    path: Path
    every: int = 100
    resume: bool = True

    def __post_init__(self):
        if self.every < 1:
            raise ValueError(f"every must be at least 1, got {self.every}.")


def _settings_of(schedule: Callable[[int], float] | None) -> dict | None:
    return asdict(schedule) if is_dataclass(schedule) else None
