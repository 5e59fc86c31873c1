"""Checks of byte-level vocabularies, shared by training, `from_parts` and files."""

from collections.abc import Iterable
from typing import NamedTuple

from .patterns import PreTokenizer

PADDING = 0
"""The padding token: the id that fills up shorter rows of a batch. Any token would do,
because no position attends to padding and no loss counts it.
"""


class Parts(NamedTuple):
    """The parts of a `BPETokenizer`; its attributes are described there."""

    token_bytes: list[bytes]
    merges: list[tuple[bytes, bytes]]
    special_tokens: dict[str, int]
    pattern: PreTokenizer
    unknown_id: int | None = None
    ignore_merges: bool = False


def check_text(text: str) -> None:
    """Raise a ValueError if a text has a lone surrogate, which cannot be encoded."""
    if not isinstance(text, str):
        raise ValueError(f"A text must be a string, got {type(text).__name__}.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"The text has a lone surrogate, {text[error.start]!r}, at position "
            f"{error.start}: half of a character, "
            "which UTF-8 cannot encode. Read the text again with the right encoding, "
            "or replace it with "
            'text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").'
        ) from None


def check_special_tokens(special_tokens: Iterable[str]) -> None:
    """Raise a ValueError if a special token is invalid text, too short or a
    duplicate.
    """
    if isinstance(special_tokens, str):
        raise ValueError(
            "special_tokens must be a list of strings, got the string "
            f"{special_tokens!r}."
        )
    seen = set()
    for token in special_tokens:
        check_text(token)
        if len(token.encode()) < 2:
            raise ValueError(
                f"A special token must have at least two bytes, got {token!r}: write "
                "it like '<|end|>'."
            )
        if token in seen:
            raise ValueError(
                f"Special tokens must all be different, got {token!r} twice."
            )
        seen.add(token)


def check_parts(parts: Parts) -> None:
    """Raise a ValueError if tokens, merges and special tokens are inconsistent."""
    check_special_tokens(parts.special_tokens)
    size = len(parts.token_bytes)
    number: dict[bytes, int] = {}
    for i, token in enumerate(parts.token_bytes):
        if not isinstance(token, bytes) or not token:
            raise ValueError(
                f"Each token must be one byte or more, got {token!r} as number {i}."
            )
        if token in number:
            raise ValueError(
                f"Tokens must all be different, got {token!r} as numbers "
                f"{number[token]} and {i}."
            )
        number[token] = i
    for special, i in parts.special_tokens.items():
        if number.get(special.encode()) != i:
            raise ValueError(
                f"The special token {special!r} must be among the tokens at its "
                f"number, {i}."
            )
    for special in parts.special_tokens:  # no merge may produce one
        del number[special.encode()]
    if parts.unknown_id is not None and not 0 <= parts.unknown_id < size:
        raise ValueError(
            f"unknown_id must be from 0 to {size - 1}, got {parts.unknown_id}."
        )
    missing = [byte for byte in range(256) if bytes([byte]) not in number]
    if missing and parts.unknown_id is None:
        raise ValueError(
            f"The vocabulary has {size} tokens but none for {len(missing)} of the 256 "
            f"bytes (the first: {missing[0]}). "
            f"It must have at least {256 + len(parts.special_tokens)}, 256 bytes and "
            f"{len(parts.special_tokens)} "
            "special tokens, or an unknown_id for the bytes that are missing."
        )
    seen = set()
    for pair in parts.merges:
        left, right = pair
        for part in (left, right, left + right):
            if part not in number:
                raise ValueError(
                    f"The merge of {left!r} and {right!r} needs the token {part!r}, "
                    "which does not exist."
                )
        if pair in seen:
            raise ValueError(
                f"Merges must all be different, got {left!r} and {right!r} twice."
            )
        seen.add(pair)
