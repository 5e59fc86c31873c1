"""The book's byte-level BPE beside `tokenizers`, `tiktoken` and the textbook: the same
text, one core, one run.

Everything is timed in rounds that take turns, so that whatever else the machine does
meets all alike; the best round counts, in CPU seconds and in wall seconds. Compare the
ratios.

- Training: 4,096 merges on all of Shakespeare, 5 MB, from the text to the merges. The
  textbook implementation counts every pair anew at each merge. It is given every
  advantage that needs no new idea: it holds each different word once, with its count.
  At 4,096 merges it would take many minutes, so that the two are compared at the first
  256, which both make alike; the book's version gains least there, since reading the
  text is most of its work. What the textbook would take for all is also projected, from
  its pace over its last 32 merges. `--full` runs them.
- Encoding: megabytes of UTF-8 a second, with a word cache that is empty ("cold"), that
  knows the text ("warm"), and, for the two held-out plays, that knows only the other 36
  ("other plays"). `tokenizers` is timed through its faster call, `encode_batch_fast`,
  and has its own cache, which `tiktoken` has not.

    python benchmarks/tokenization.py           # about three minutes
    python benchmarks/tokenization.py --full    # a quarter of an hour more
"""

import os

# before the imports
os.environ |= {
    "OMP_NUM_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}

import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

import tiktoken
import tokenizers
from finished import script_parser
from tokenizers import models, pre_tokenizers, trainers

from genai_tutorial.data import load_shakespeare, load_wikipedia
from genai_tutorial.runtime import describe_machine
from genai_tutorial.tokenization import (
    GPT2_PATTERN,
    GPT4_PATTERN,
    SMOLLM2_PATTERN,
    BPETokenizer,
    byte_to_unicode,
    train_bpe,
    visible,
)

RESULTS = Path(__file__).parent / "results" / "tokenization.json"
MERGES = 4096
TEXTBOOK_MERGES = 256


def textbook(
    text: str, merges: int, pattern, clock: list[float]
) -> list[tuple[bytes, bytes]]:
    """Counts every pair of neighbours again at each merge; equal counts go to the
    lowest token numbers, as in ours.
    """
    number = {bytes([byte]): i for i, byte in enumerate(byte_to_unicode())}
    words = Counter(pattern.split(text))
    words = {
        tuple(bytes([byte]) for byte in word.encode()): count
        for word, count in words.items()
    }
    found = []
    for _ in range(merges):
        pairs = Counter()
        for word, count in words.items():
            for pair in pairwise(word):
                pairs[pair] += count
        best = min(
            pairs, key=lambda pair: (-pairs[pair], number[pair[0]], number[pair[1]])
        )
        found.append(best)
        number[best[0] + best[1]] = len(number)
        words = {join(word, best): count for word, count in words.items()}
        clock.append(time.process_time())
    return found


def join(word: tuple[bytes, ...], best: tuple[bytes, bytes]) -> tuple[bytes, ...]:
    tokens, i = [], 0
    while i < len(word):
        if word[i] == best[0] and i + 1 < len(word) and word[i + 1] == best[1]:
            tokens.append(word[i] + word[i + 1])
            i += 2
        else:
            tokens.append(word[i])
            i += 1
    return tuple(tokens)


def their_training(text: str, vocab_size: int) -> tokenizers.Tokenizer:
    """GPT-2's pattern, as a user of the library trains it."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([text], trainer)
    return tokenizer


def take_turns(
    calls: dict[str, Callable[[], object]], rounds: int
) -> dict[str, dict[str, float]]:
    """Returns each call's best round in seconds, of the CPU and on the clock."""
    best = {
        name: {"cpu_seconds": float("inf"), "wall_seconds": float("inf")}
        for name in calls
    }
    for _ in range(rounds):
        for name, call in calls.items():
            wall, cpu = time.perf_counter(), time.process_time()
            call()
            took = {
                "cpu_seconds": time.process_time() - cpu,
                "wall_seconds": time.perf_counter() - wall,
            }
            best[name] = {
                key: min(value, took[key]) for key, value in best[name].items()
            }
    return best


def training(text: str, full: bool, rounds: int) -> dict:
    pattern = GPT2_PATTERN
    ours, theirs = (
        train_bpe(text, 256 + MERGES, pattern),
        their_training(text, 256 + MERGES),
    )
    merges = json.loads(theirs.to_str())["model"]["merges"]
    assert [[visible(left), visible(right)] for left, right in ours.merges] == merges
    times = take_turns(
        {
            "ours": lambda: train_bpe(text, 256 + MERGES, pattern),
            "ours_first_256": lambda: train_bpe(text, 256 + TEXTBOOK_MERGES, pattern),
            "tokenizers": lambda: their_training(text, 256 + MERGES),
        },
        rounds,
    )
    clock: list[float] = []
    count = MERGES if full else TEXTBOOK_MERGES
    start, wall = time.process_time(), time.perf_counter()
    assert textbook(text, count, pattern, clock) == ours.merges[:count]
    seconds = clock[TEXTBOOK_MERGES - 1] - start
    pace = (clock[TEXTBOOK_MERGES - 1] - clock[TEXTBOOK_MERGES - 33]) / 32
    projected = seconds + pace * (MERGES - TEXTBOOK_MERGES)
    mine = times["ours"]["cpu_seconds"]
    return {
        "bytes": len(text.encode()),
        "merges": MERGES,
        "same_merges": True,
        "times": times,
        "times_faster_than_tokenizers": times["tokenizers"]["cpu_seconds"] / mine,
        "textbook": {
            "merges": TEXTBOOK_MERGES,
            "cpu_seconds": seconds,
            "times_faster_at_equal_merges": seconds
            / times["ours_first_256"]["cpu_seconds"],
            "seconds_a_merge_at_the_end": pace,
            "projected_cpu_seconds_of_all_merges": projected,
            "times_faster_projected": projected / mine,
            "measured_cpu_seconds_of_all_merges": clock[-1] - start if full else None,
            "times_faster_measured": (clock[-1] - start) / mine if full else None,
            "wall_seconds": time.perf_counter() - wall,
        },
    }


def encoding(text: str, held_out: str, pattern, rounds: int) -> dict:
    """Encodes the text; `held_out` is its end, or nothing where there are no other
    plays to know.
    """
    ours = train_bpe(text, 256 + MERGES, pattern)
    with tempfile.TemporaryDirectory() as folder:
        ours.to_hugging_face(f"{folder}/tokenizer.json")
        theirs = tokenizers.Tokenizer.from_file(f"{folder}/tokenizer.json")
    calls: dict[str, Callable[[], object]] = {
        "ours_cold": lambda: fresh(ours).encode(text),
        "ours_warm": lambda: ours.encode(text),
        "tokenizers": lambda: theirs.encode_batch_fast([text]),
    }
    ids = ours.encode(text)
    assert ids == theirs.encode_batch_fast([text])[0].ids
    assert ours.decode(ids) == text
    if pattern is not SMOLLM2_PATTERN:
        ranks = {token: i for i, token in enumerate(ours.token_bytes)}
        tik = tiktoken.Encoding(
            "book", pat_str=pattern.expression, mergeable_ranks=ranks, special_tokens={}
        )
        assert ids == tik.encode_ordinary(text)
        calls["tiktoken"] = lambda: tik.encode_ordinary(text)
    speed = {
        name: {
            key.replace("seconds", "mb_a_second"): len(text.encode()) / 1e6 / value
            for key, value in took.items()
        }
        for name, took in take_turns(calls, rounds).items()
    }
    if held_out:
        best = float("inf")
        for _ in range(rounds):
            other = fresh(ours)
            other.encode(text[: -len(held_out)])
            start = time.process_time()
            other.encode(held_out)
            best = min(best, time.process_time() - start)
        speed["ours_other_plays"] = {
            "cpu_mb_a_second": len(held_out.encode()) / 1e6 / best
        }
    start = time.process_time()
    ours.decode(ids)
    decode = len(text.encode()) / 1e6 / (time.process_time() - start)
    return {
        "bytes": len(text.encode()),
        "tokens": len(ids),
        "same_ids": True,
        "speed": speed,
        "ours_decode_cpu_mb_a_second": decode,
        "warm_times_tokenizers": speed["ours_warm"]["cpu_mb_a_second"]
        / speed["tokenizers"]["cpu_mb_a_second"],
    }


def fresh(tokenizer: BPETokenizer) -> BPETokenizer:
    """The same tokenizer with an empty cache, its tables ready."""
    parts = (
        tokenizer.token_bytes,
        tokenizer.merges,
        tokenizer.special_tokens,
        tokenizer.pattern,
    )
    again = BPETokenizer.from_parts(*parts)
    again.encode("a")
    return again


def rounded(value):
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument(
        "--full", action="store_true", help="run all merges of the textbook too"
    )
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    load = os.getloadavg()
    plays = load_shakespeare()
    text = f"{plays.train}\n{plays.validation}"
    results = {
        "training": training(text, arguments.full, arguments.rounds),
        "encoding": {},
    }
    table = results["training"]
    print(f"training {MERGES} merges on {table['bytes'] / 1e6:.1f} MB, CPU seconds:")
    for name, took in table["times"].items():
        print(f"  {name:16}{took['cpu_seconds']:8.2f}")
    print(f"  {'textbook, 256':16}{table['textbook']['cpu_seconds']:8.2f}")
    print(f"  faster than tokenizers {table['times_faster_than_tokenizers']:.2f} times, than the textbook "  # noqa: E501
          f"{table['textbook']['times_faster_at_equal_merges']:.0f} times at 256 "
          "merges, "
          f"{table['textbook']['times_faster_projected']:.0f} times "
          f"projected to {MERGES}")  # fmt: skip
    corpora = {
        "shakespeare": (text, plays.validation),
        "wikipedia": (load_wikipedia().text, ""),
    }
    for name, (corpus, held_out) in corpora.items():
        for pattern in (GPT2_PATTERN, GPT4_PATTERN, SMOLLM2_PATTERN):
            row = encoding(corpus, held_out, pattern, arguments.rounds)
            results["encoding"][f"{name}, {pattern.name}"] = row
            speeds = ", ".join(
                f"{key} {speed['cpu_mb_a_second']:.1f}"
                for key, speed in row["speed"].items()
            )
            print(f"encoding {name} with {pattern.name}, MB a second: {speeds}")
    results |= {
        "machine": describe_machine(),
        "versions": {
            name: version(name) for name in ("regex", "tokenizers", "tiktoken")
        },
        "rounds": arguments.rounds,
        "load_average_before_and_after": [load, os.getloadavg()],
    }
    RESULTS.write_text(json.dumps(rounded(results), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
