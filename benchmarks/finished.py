"""What scripts share: their command lines, and results that are computed once and kept
in a folder of finished work.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from genai_tutorial.runtime import write_atomically


def script_parser(description: str, threads: int = 1) -> argparse.ArgumentParser:
    """Return a parser for a script's command line, and compute on that many threads."""
    torch.set_num_threads(threads)
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def command_line(
    description: str, seeds: Sequence[int] | None = None
) -> argparse.ArgumentParser:
    """Return a parser of the options of scripts with a folder of finished work."""
    parser = script_parser(description)
    parser.add_argument(
        "--folder", type=_folder, required=True, help="for what is finished"
    )
    parser.add_argument("--smoke", action="store_true", help="a quick try, no record")
    if seeds is not None:
        parser.add_argument("--seeds", type=int, nargs="+", default=list(seeds))
    return parser


def kept(path: Path, compute: Callable[[], Any]) -> Any:
    """Return a result from its file; if there is none, compute the result and keep
    it.
    """
    if not path.is_file():
        result = compute()
        print(path.stem, json.dumps(result)[:600], flush=True)
        with write_atomically(path, "w") as file:
            json.dump(result, file)
    return json.loads(path.read_text("utf-8"))


def _folder(name: str) -> Path:
    path = Path(name)
    path.mkdir(parents=True, exist_ok=True)
    return path
