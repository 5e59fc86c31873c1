r"""Pre-tokenization: splitting a text into words, whose boundaries no token crosses.

The library `regex` decides from its Unicode tables what a letter (`\p{L}`), a number
(`\p{N}`) or a space (`\s`) is. Its tables can be newer than those of another program:
a character that was added to Unicode recently may be a letter here and a symbol there,
and then the words around it are split differently. Where `regex` 2026.11.19 and
`tokenizers` 0.23.3 differ, the character is newer than Unicode 14; on all older ones,
and on unassigned code points, the two agree.
"""

import functools
import re
from dataclasses import dataclass

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
