r"""Pre-tokenization: cutting a text into words, which no token will ever cross.

What a letter, a digit or a space is, the library `regex` reads from its Unicode tables.
"""

import functools
from dataclasses import dataclass

import regex


@dataclass(frozen=True)
class PreTokenizer:
    """A regular expression whose matches, one after the other, are the words of a text.

    Attributes:
        name: What it is called, for example in a saved file.
        expression: A regular expression of the library `regex`. Every character must belong to a match.

    Raises:
        ValueError: If the expression is not a regular expression, or has a capturing group.

    >>> GPT2_PATTERN.split("It's 2024, isn't it?  Yes")
    ['It', "'s", ' 2024', ',', ' isn', "'t", ' it', '?', ' ', ' Yes']
    >>> SMOLLM2_PATTERN.split("In 2024")
    ['In', ' ', '2', '0', '2', '4']
    """

    name: str
    expression: str

    def __post_init__(self):
        try:
            groups = self._compiled.groups
        except regex.error as error:
            raise ValueError(f"The expression of the pattern {self.name!r} does not compile: {error}.") from None
        if groups:
            raise ValueError(f"The pattern {self.name!r} has capturing groups: write (?:...) instead of (...).")

    @functools.cached_property
    def _compiled(self) -> regex.Pattern:
        return regex.compile(self.expression)

    def split(self, text: str) -> list[str]:
        """Returns the words of a text, in order; joined they are the text again."""
        return self._compiled.findall(text)


GPT2_PATTERN = PreTokenizer("gpt2", r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")
"""GPT-2: English endings, then runs of letters, of digits, of other signs, each with the space before it."""

GPT4_PATTERN = PreTokenizer(
    "gpt4",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+",
)
"""GPT-4 (tiktoken's `cl100k_base`): endings in capitals too, three digits at most, line breaks on their own."""

SMOLLM2_PATTERN = PreTokenizer(
    "smollm2", r"\p{N}|'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s+(?![^\s\p{N}])|\s+"
)
"""SmolLM2: every digit is a word of its own, and what is left between digits is cut as by GPT-2."""

PATTERNS: tuple[PreTokenizer, ...] = (GPT2_PATTERN, GPT4_PATTERN, SMOLLM2_PATTERN)
"""The three that this package knows by name."""
