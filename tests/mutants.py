"""Damaged copies of a file, for the tests of its reader."""

import json
import random
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path


def mutants(content: bytes, n: int, within: int | None = None) -> Iterator[bytes]:
    """Yield `n` copies with a changed, missing or repeated piece each, in the first
    `within` bytes.
    """
    dice = random.Random(0)
    for _ in range(n):
        start = dice.randrange(min(within or len(content), len(content)))
        end = min(start + dice.randrange(1, 12), len(content))
        before, piece, after = content[:start], content[start:end], content[end:]
        yield dice.choice(
            [
                before
                + bytes([piece[0] ^ dice.randrange(1, 256)])
                + content[start + 1 :],
                before + after,
                before + piece + piece + after,
                before + dice.randbytes(3) + after,
                before,
            ]
        )


def wrong_values(content: bytes, n: int) -> Iterator[bytes]:
    """Yield `n` copies of a JSON document, each with one value of another kind."""
    dice = random.Random(0)
    for _ in range(n):
        document = json.loads(content)
        where = document
        while True:
            keys = list(where) if isinstance(where, dict) else range(len(where))
            key = dice.choice(list(keys))
            if not (isinstance(where[key], dict | list) and where[key]):
                break
            if dice.random() < 0.3:
                break
            where = where[key]
        where[key] = dice.choice([None, -1, 0, 1.5, "x", [], {}, True, [[1]], {"a": 1}])
        yield json.dumps(document).encode()


def refusals(
    path: Path, copies: Iterable[bytes], read: Callable[[], object]
) -> list[str]:
    """Return the messages of the ValueErrors when damaged copies are read; no other
    error is caught.
    """
    said = []
    for content in copies:
        path.write_bytes(content)
        try:
            read()
        except ValueError as error:
            said.append(str(error))
    return said
