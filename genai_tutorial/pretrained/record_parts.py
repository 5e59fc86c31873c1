"""Records that are measured part by part and seed by seed, and resume."""

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

from genai_tutorial.runtime import describe_machine, write_atomically

from .records import RECORDS

Part = Callable[[int, bool], dict]
"""Called as `part(seed, small)`; returns the measurements as a JSON document."""


def run_parts(
    name: str,
    parts: Mapping[str, Part],
    description: str,
    arguments: Sequence[str] | None = None,
    record: Path | None = None,
) -> dict | None:
    """Run a script's parts from the command line, and return the whole record.

    Each part and seed is one file in a folder and is not repeated. The record keeps
    what it has of parts and seeds without a file.

    Args:
        parts: The parts by name, in their order.
        description: Help text of the script.
        arguments: Arguments of the command line; by default the program's.
        record: File of the present record; by default that of the package.

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
            print(f"{part}, seed {seed}: {measured['seconds']} s", flush=True)
            if not settings.smoke:
                path.parent.mkdir(parents=True, exist_ok=True)
                with write_atomically(path, "w") as file:
                    json.dump(measured, file)
    if settings.smoke:
        return None
    record = record or RECORDS / f"{name}.json"
    kept = json.loads(record.read_text("utf-8")) if record.is_file() else {}
    whole: dict = {"machine": describe_machine()}
    for part in parts:
        runs = dict(kept.get(part, {}))
        for path in settings.folder.glob(f"{name}_{part}_[0-9]*.json"):
            runs[path.stem.rpartition("_")[2]] = json.loads(path.read_text("utf-8"))
        if runs:
            whole[part] = {seed: runs[seed] for seed in sorted(runs, key=int)}
    return whole
