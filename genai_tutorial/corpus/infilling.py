"""Fill in the middle: documents rearranged so that a decoder, which only ever writes
on, learns to fill a gap between two pieces of text.
"""

import random
import re
from dataclasses import dataclass
from typing import Literal

PREFIX, SUFFIX, MIDDLE = "<|prefix|>", "<|suffix|>", "<|middle|>"
INFILL_TOKENS = (PREFIX, SUFFIX, MIDDLE)
"""The special tokens in front of the pieces."""

Order = Literal["PSM", "SPM"]
Span = Literal["line", "lines", "characters", "docstring"]

DOCSTRING = re.compile(r'(?<=""")[^"](?:[^"]|"(?!""))*(?=""")')


@dataclass(frozen=True)
class Gap:
    """A document cut into three pieces, of which the middle one is missing."""

    prefix: str
    middle: str
    suffix: str

    @property
    def document(self) -> str:
        """The whole document."""
        return self.prefix + self.middle + self.suffix


def infilling_prompt(prefix: str, suffix: str, order: Order = "PSM") -> str:
    """Return the text that a model continues with the missing middle.

    Args:
        order: `PSM` for prefix, suffix, middle; `SPM` for suffix, prefix, middle, in
            which the middle directly follows the prefix, as in an ordinary document.
            The prefix must then end where a token ends.

    Raises:
        ValueError: If a piece contains one of the markers, or there is no such order.

    >>> infilling_prompt("def f(x):", "return y")
    '<|prefix|>def f(x):<|suffix|>return y<|middle|>'
    """
    for piece in (prefix, suffix):
        _check_free_of_markers(piece)
    if order == "PSM":
        return f"{PREFIX}{prefix}{SUFFIX}{suffix}{MIDDLE}"
    if order == "SPM":
        return f"{PREFIX}{SUFFIX}{suffix}{MIDDLE}{prefix}"
    raise ValueError(f"order must be PSM or SPM, got {order!r}.")


def rearrange(gap: Gap, order: Order = "PSM") -> str:
    """Return a document with its middle moved to the end.

    In the order SPM, nothing marks where prefix and middle meet, as in the joint form
    of the paper.

    Raises:
        ValueError: If a piece contains one of the markers, or there is no such order.

    Source: Bavarian et al., Efficient Training of Language Models to Fill in the
        Middle, section 3, https://arxiv.org/abs/2207.14255

    >>> rearrange(Gap("one ", "two ", "three"))
    '<|prefix|>one <|suffix|>three<|middle|>two '
    >>> rearrange(Gap("one ", "two ", "three"), "SPM")
    '<|prefix|><|suffix|>three<|middle|>one two '
    """
    _check_free_of_markers(gap.middle)
    return infilling_prompt(gap.prefix, gap.suffix, order) + gap.middle


def restore(text: str) -> str:
    """Return the document that `rearrange` took apart, whichever order it used.

    Raises:
        ValueError: If the three markers do not occur once each, in this order, the
            first at the beginning.

    >>> restore("<|prefix|>one <|suffix|>three<|middle|>two ")
    'one two three'
    """
    first, *pieces = re.split(f"({'|'.join(map(re.escape, INFILL_TOKENS))})", text)
    if tuple(pieces[::2]) != INFILL_TOKENS or first:
        raise ValueError(
            f"A rearranged document begins with {PREFIX} and has {SUFFIX} and {MIDDLE} "
            f"once each, in this order; got the markers {pieces[::2]}."
        )
    prefix, suffix, middle = pieces[1::2]
    return prefix + middle + suffix


def cut(document: str, start: int, end: int) -> Gap:
    """Cut a document at two positions."""
    return Gap(document[:start], document[start:end], document[end:])


def line_gaps(document: str, first: int = 0) -> list[Gap]:
    """Return one gap for each line that is not empty, with its indentation and the
    newline before it, which a tokenizer joins with the spaces behind it.

    Args:
        first: The first of these lines, counted from 0.

    >>> [gap.middle for gap in line_gaps("def f(x):\\n    return x\\n")]
    ['def f(x):', '\\n    return x']
    """
    return [cut(document, *span) for span in _lines(document)[first:]]


def docstring_gap(document: str) -> Gap:
    """Cut out the text of the first docstring, without its quotes.

    Raises:
        ValueError: If there is no docstring.

    >>> docstring_gap('def f(x):\\n    \"\"\"Return it.\"\"\"\\n    return x').middle
    'Return it.'
    """
    found = DOCSTRING.search(document)
    if found is None:
        raise ValueError(
            "The document has no docstring in three double quotes, so there is none to "
            "cut out."
        )
    return cut(document, found.start(), found.end())


def draw_gap(
    document: str, span: Span, draws: random.Random, first_line: int = 0
) -> Gap:
    """Cut out a piece that is drawn at random.

    Args:
        span: `line` for one line, `lines` for two or more neighbouring ones where
            there are so many, `characters` for any piece, or `docstring`.
        draws: The source of randomness.
        first_line: The first line that may be cut out, counted from 0.

    Raises:
        ValueError: If the document has no such piece, or there is no such span.
    """
    if span == "docstring":
        return docstring_gap(document)
    if span == "characters":
        return cut(document, *sorted(draws.randint(0, len(document)) for _ in range(2)))
    lines = _lines(document)[first_line:]
    if not lines:
        raise ValueError(
            f"The document has no line from number {first_line} on, so there is none "
            "to cut out."
        )
    if span == "line":
        return cut(document, *draws.choice(lines))
    if span == "lines":
        count = draws.randint(min(2, len(lines)), len(lines))
        start = draws.randint(0, len(lines) - count)
        return cut(document, lines[start][0], lines[start + count - 1][1])
    raise ValueError(
        f"span must be line, lines, characters or docstring, got {span!r}."
    )


def _lines(document: str) -> list[tuple[int, int]]:
    """Return where each line that is not empty begins, with its newline, and ends."""
    return [found.span() for found in re.finditer(r"(?:\A|\n)[^\n]*\S", document)]


def _check_free_of_markers(piece: str) -> None:
    for marker in INFILL_TOKENS:
        if marker in piece:
            raise ValueError(
                f"The text contains the marker {marker}, so the pieces could not be "
                "told apart; remove it."
            )
