r"""The vocabulary of byte-level tokenizers: the patterns that split a text into words,
whose boundaries no token crosses; a printable character for every byte, so that tokens
can be written to text files; and checks of tokens, merges and texts.

The Unicode tables of the library `regex` decide what a letter (`\p{L}`) or a number
(`\p{N}`) is. Those of `tokenizers` 0.23.3 differ on characters newer than Unicode 14.
"""

import functools
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import regex


@dataclass(frozen=True)
class PreTokenizer:
    r"""A regular expression whose matches, one after the other, are the words of a
    text.

    Attributes:
        name: The name of the pattern in saved files.
        expression: A regular expression for the library `regex`. Every character must
            belong to a match.
        ascii_expression: An equivalent for ASCII texts, for Python's `re`, which is
            twice as fast; optional. It is compiled with `re.ASCII` and must not have
            capturing groups.

    Raises:
        ValueError: If the expression is not a regular expression, or has a capturing
            group.

    >>> GPT2_PATTERN.split("It's 2024, isn't it?  Yes")
    ['It', "'s", ' 2024', ',', ' isn', "'t", ' it', '?', ' ', ' Yes']
    >>> SMOLLM2_PATTERN.split("In 2024")
    ['In', ' ', '2', '0', '2', '4']
    """

    name: str
    expression: str
    ascii_expression: str | None = None

    def __post_init__(self):
        try:
            groups = self._compiled.groups
        except regex.error as error:
            raise ValueError(
                f"The expression of the pattern {self.name!r} does not compile: "
                f"{error}."
            ) from None
        if groups:
            raise ValueError(
                f"The pattern {self.name!r} has capturing groups: write (?:...) "
                "instead of (...)."
            )

    def split(self, text: str) -> list[str]:
        """Return the words of a text, in order; joined, they are the text again."""
        if self.ascii_expression is not None and text.isascii():
            return self._compiled_ascii.findall(text)
        return self._compiled.findall(text)

    @functools.cached_property
    def _compiled(self) -> regex.Pattern:
        return regex.compile(self.expression)

    @functools.cached_property
    def _compiled_ascii(self) -> re.Pattern:
        return re.compile(self.ascii_expression, re.ASCII)


GPT2_PATTERN = PreTokenizer(
    "gpt2",
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"'s|'t|'re|'ve|'m|'ll|'d| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+",
)
"""GPT-2: English endings, then runs of letters, of digits or of other characters, each
with the space before it.
"""

GPT4_PATTERN = PreTokenizer(
    "gpt4",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| "
    r"?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\nA-Za-z0-9]?[A-Za-z]+|[0-9]{1,3}| "
    r"?[^\sA-Za-z0-9]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+",
)
"""GPT-4 (tiktoken's `cl100k_base`): endings also in capitals, at most three digits, and
line breaks separate from words.
"""

SMOLLM2_PATTERN = PreTokenizer(
    "smollm2",
    r"\p{N}|'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s+(?![^\s\p{N}])|\s+",
    r"[0-9]|'s|'t|'re|'ve|'m|'ll|'d| ?[A-Za-z]+| ?[^\sA-Za-z0-9]+|\s+(?![^\s0-9])|\s+",
)
"""SmolLM2: every digit is a separate word, and the text between digits is split as by
GPT-2.
"""

PATTERNS: tuple[PreTokenizer, ...] = (GPT2_PATTERN, GPT4_PATTERN, SMOLLM2_PATTERN)
"""The patterns that have a name in files."""


@functools.cache
def byte_to_unicode() -> dict[int, str]:
    """Return GPT-2's alphabet: a printable character for each of the 256 bytes, in the
    order of the characters.

    Bytes that are printable in Latin-1 keep their character. The other 68 (spaces,
    control characters, the soft hyphen) get the characters from U+0100 on: a space is
    written `Ġ` and a line break `Ċ`.

    Source: `encoder.py` of GPT-2 (Radford et al., 2019).

    >>> alphabet = byte_to_unicode()
    >>> alphabet[ord("a")], alphabet[ord(" ")], len(set(alphabet.values()))
    ('a', 'Ġ', 256)
    """
    printable = [
        *range(ord("!"), ord("~") + 1),
        *range(ord("¡"), ord("¬") + 1),
        *range(ord("®"), ord("ÿ") + 1),
    ]
    others = [byte for byte in range(256) if byte not in set(printable)]
    return {byte: chr(byte) for byte in printable} | {
        byte: chr(256 + place) for place, byte in enumerate(others)
    }


def visible(token: bytes) -> str:
    """Return a token's bytes as GPT-2's printable characters.

    >>> visible(" café".encode())
    'ĠcafÃ©'
    """
    return token.decode("latin-1").translate(byte_to_unicode())


def invisible(text: str) -> bytes:
    """Return the bytes of a token written in GPT-2's printable characters.

    Raises:
        ValueError: If the text has a character that represents no byte.

    >>> invisible("ĠcafÃ©").decode()
    ' café'
    """
    bytes_of = _unicode_to_byte()
    try:
        return bytes([bytes_of[character] for character in text])
    except KeyError as error:
        raise ValueError(
            f"The token {text[:40]!r} has the character {error.args[0]!r}, which "
            "represents no byte in GPT-2's alphabet: the file is damaged, or its "
            "tokens are not byte-level."
        ) from None


@functools.cache
def _unicode_to_byte() -> dict[str, int]:
    return {character: byte for byte, character in byte_to_unicode().items()}


PADDING = 0
"""The padding token: the id that fills up shorter rows of a batch. Any token would do,
because no position attends to padding and no loss counts it.
"""


class TokenParts(NamedTuple):
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
            f"{error.start}: half of a character, which UTF-8 cannot encode. Read the "
            "text again with the right encoding, or replace it with "
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
    for token, count in Counter([*special_tokens]).items():
        check_text(token)
        if len(token.encode()) < 2:
            raise ValueError(
                f"A special token must have at least two bytes, got {token!r}: write "
                "it like '<|end|>'."
            )
        if count > 1:
            raise ValueError(
                f"Special tokens must all be different, got {token!r} twice."
            )


def check_parts(parts: TokenParts) -> None:
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
            f"bytes (the first: {missing[0]}). It must have all of them, or an "
            "unknown_id for those that are missing."
        )
    for (left, right), count in Counter(parts.merges).items():
        for part in (left, right, left + right):
            if part not in number:
                raise ValueError(
                    f"The merge of {left!r} and {right!r} needs the token {part!r}, "
                    "which does not exist."
                )
        if count > 1:
            raise ValueError(
                f"Merges must all be different, got {left!r} and {right!r} twice."
            )
