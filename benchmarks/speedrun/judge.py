"""The speedrun: Shakespeare in a minute of one thread, judged in bits per character of
plays that the entry has not read.

An entry is one file with `train(plays, vocab_size, left, seed)`, which gets the plays
as arrays of whole numbers and returns `predict`; `left()` falls from 1 to 0 while its
time runs out. `predict(contexts)` gets texts of 64 characters, [n, 64], and returns the
logarithms of the probabilities of the character after each, [n, vocab_size].

Machines differ, so time is counted in a reference: a minute is the CPU time in which
this machine makes 1,440 steps of nanoGPT's recipe (24 a second), measured before and
after the entry. Which five plays are held out follows from the entry's own bytes.
Entries are ranked by the difference from counting six characters on the same plays.

    # about five minutes an entry
    python -m benchmarks.speedrun.judge benchmarks/speedrun/entries/both.py
"""

import ast
import functools
import hashlib
import io
import json
import math
import os
import random
import runpy
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.finished import script_parser
from benchmarks.speedrun.worker import ALLOWED, HIDDEN, receive, send
from genai_tutorial.data import load_shakespeare
from genai_tutorial.runtime import describe_machine, write_atomically
from genai_tutorial.tokenization import CharacterTokenizer

HERE = Path(__file__).parent
ENTRIES = HERE / "entries"
RESULTS = HERE.parent / "results" / "speedrun.json"

SECONDS = 60
STEPS_A_SECOND = 24
"""Steps of nanoGPT in a second of the reference machine."""
STEADY = 0.1
"""How far the machine's speed before and after an entry may differ."""
LARGEST = 20_000  # bytes of an entry
LONGEST = 500  # characters of a string in it
PLAYS, CONTEXTS, LENGTH = 5, 1024, 64
MEMORY = 2 << 30


class EntryError(Exception):
    """Raised when an entry breaks a rule; the message says which."""


@dataclass(frozen=True)
class Task:
    """Plays to train on, and contexts of the held-out plays with what follows them."""

    titles: tuple[str, ...]
    train: list[np.ndarray]
    contexts: np.ndarray
    targets: np.ndarray
    vocab_size: int


def check_rules(source: bytes) -> None:
    """Refuse an entry that is too large, could contain a text or a model, or imports
    something else.

    Raises:
        EntryError: If it breaks a rule.
    """
    if len(source) > LARGEST:
        raise EntryError(f"an entry has at most {LARGEST} bytes, this {len(source)}")
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        raise EntryError(f"it is not Python: {error}") from None
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and len(str(node.value)) > LONGEST:
            raise EntryError(f"a constant is longer than {LONGEST} characters")
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] not in ALLOWED or HIDDEN & set(parts[1:2]):
                raise EntryError(f"it may not import {name}")


@functools.cache
def _plays() -> tuple[CharacterTokenizer, dict[str, np.ndarray]]:
    everything = load_shakespeare()
    titles = sorted(everything.train_titles + everything.validation_titles)
    tokenizer = CharacterTokenizer.from_text(everything.train)
    encode = tokenizer.encode
    texts = {t: np.array(encode(load_shakespeare([t]).validation)) for t in titles}
    return tokenizer, texts


def make_task(source: bytes) -> Task:
    """Choose the held-out plays by an entry's own bytes: no entry can be tuned to
    them.
    """
    tokenizer, texts = _plays()
    texts = dict(texts)
    draw = random.Random(hashlib.sha256(source).digest())
    held_out = sorted(draw.sample(list(texts), PLAYS))
    rng = np.random.default_rng(draw.getrandbits(64))
    contexts, targets = [], []
    for title in held_out:
        text = texts.pop(title)
        starts = rng.choice(len(text) - LENGTH, CONTEXTS, replace=False)
        contexts.append(text[starts[:, None] + np.arange(LENGTH)])
        targets.append(text[starts + LENGTH])
    return Task(
        tuple(held_out),
        list(texts.values()),
        np.concatenate(contexts),
        np.concatenate(targets),
        tokenizer.vocab_size,
    )


def steps_a_second(count: int = 60) -> float:
    """Return how many steps of nanoGPT this machine makes in a second of CPU time."""
    train = runpy.run_path(str(ENTRIES / "nanogpt.py"))["train"]
    plays = [np.random.default_rng(0).integers(64, size=10_000)]
    done, started = -5, 0.0  # the first steps of a process are slow

    def left() -> float:
        nonlocal done, started
        done += 1
        if done == 0:
            started = time.process_time()
        return 1.0 if done < count else 0.0

    train(plays, 64, left, 0)
    return count / (time.process_time() - started)


def cpu_seconds(process: int) -> float:
    """Return the CPU time that a process has used, from the kernel."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run_entry(
    source: bytes, task: Task, seed: int, budget: float
) -> tuple[np.ndarray, float]:
    """Run an entry in a confined process, and return its log-probabilities and the CPU
    time that training and predicting took.

    Raises:
        EntryError: If it fails, takes too long, or gives no probabilities.
    """
    settings = {
        "source": source.decode(),
        "ends": np.cumsum([len(play) for play in task.train]).tolist(),
        "vocab_size": task.vocab_size,
        "seed": seed,
        "cpu_seconds": budget,
        "memory": MEMORY,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.speedrun.worker"],
        cwd=HERE.parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        send(process.stdin, json.dumps(settings).encode())
        send(process.stdin, _packed(np.concatenate(task.train)))
        enforced = json.loads(receive(process.stdout))
        if absent := [name for name, works in enforced.items() if not works]:
            raise EntryError(f"this system does not enforce: {', '.join(absent)}")
        before = cpu_seconds(process.pid)
        send(process.stdin, b"")
        _reply(process)
        send(process.stdin, _packed(task.contexts))
        found = _reply(process)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        used = usage.ru_utime + usage.ru_stime - before
    except (EOFError, BrokenPipeError):
        raise EntryError(_ending(process, budget)) from None
    finally:
        process.kill()
        process.communicate()
    if used > budget * 1.01:
        raise EntryError(f"it took {used:.1f} s of CPU time of {budget:.1f} s")
    check_probabilities(found, task)
    return found, used


def check_probabilities(found: np.ndarray, task: Task) -> None:
    """Refuse what are not logarithms of probabilities.

    Raises:
        EntryError: If they have another shape, or do not sum to one.
    """
    wanted = (len(task.contexts), task.vocab_size)
    if found.shape != wanted:
        raise EntryError(f"it must predict {wanted}, got {found.shape}")
    sums = np.exp(found).sum(axis=1)
    if not (np.isfinite(sums).all() and np.abs(sums - 1).max() < 1e-3):
        raise EntryError("its probabilities do not sum to one")


def _packed(numbers: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, numbers.astype(np.uint8), allow_pickle=False)
    return file.getvalue()


def _reply(process: subprocess.Popen) -> np.ndarray | None:
    reply = receive(process.stdout)
    if reply[:1] == b"{":
        if words := json.loads(reply).get("error"):
            raise EntryError(f"it raised {words}")
        return None
    return np.load(io.BytesIO(reply), allow_pickle=False)


def _ending(process: subprocess.Popen, budget: float) -> str:
    code = process.wait()
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        return f"it was ended: more than twice the {budget:.0f} s of CPU time"
    return f"its process ended with status {code}"


def bits(found: np.ndarray, task: Task) -> np.ndarray:
    """Return the bits that each character cost."""
    return -found[np.arange(len(task.targets)), task.targets] / math.log(2)


def judge(path: Path, seeds: list[int], seconds: float) -> dict:
    """Run an entry with several seeds, and return its line of the table.

    Raises:
        EntryError: If it breaks a rule, or the machine is not steady.
    """
    source = path.read_bytes()
    check_rules(source)
    task = make_task(source)
    rule = (ENTRIES / "counting.py").read_bytes()
    counting, _ = run_entry(rule, task, 0, 60.0)
    counted = bits(counting, task)
    losses, differences, times = [], [], []
    for seed in seeds:
        before = steps_a_second()
        budget = seconds * STEPS_A_SECOND / before
        found, used = run_entry(source, task, seed, budget)
        after = steps_a_second()
        if abs(after / before - 1) > STEADY:
            raise EntryError(
                f"the machine is not steady: {before:.1f} steps of nanoGPT a second "
                f"before, {after:.1f} after; run it again"
            )
        lost = bits(found, task)
        losses.append(round(float(lost.mean()), 4))
        differences.append(round(float((lost - counted).mean()), 4))
        times.append(round(used * before / STEPS_A_SECOND, 1))
        error = float((lost - counted).std() / math.sqrt(len(lost)))
        print(
            f"{path.stem}, seed {seed}: {losses[-1]:.3f} bits per character, "
            f"{differences[-1]:+.3f} ± {error:.3f} to counting, {times[-1]} s"
        )
    return {
        "entry": path.stem,
        "sha256": hashlib.sha256(source).hexdigest(),
        "plays": task.titles,
        "seeds": seeds,
        "seconds": seconds,
        "used_seconds": times,
        "bits": losses,
        "counting": round(float(counted.mean()), 4),
        "difference": differences,
        "standard_error": round(error, 4),
        "steps_a_second": round(before, 1),
        "machine": describe_machine(),
    }


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("entries", type=Path, nargs="+")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--record", action="store_true", help="keep the lines")
    arguments = parser.parse_args()
    for path in arguments.entries:
        try:
            line = judge(path, arguments.seeds, arguments.seconds)
        except EntryError as error:
            print(f"{path.name}: {error}", flush=True)
            continue
        if arguments.record:
            lines = json.loads(RESULTS.read_text("utf-8")) if RESULTS.is_file() else []
            key = (line["entry"], line["seconds"])
            kept = [one for one in lines if (one["entry"], one["seconds"]) != key]
            with write_atomically(RESULTS, "w") as file:
                json.dump([*kept, line], file, indent=1)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
