"""Text normalization: a single representation for texts that look the same."""

import re
import unicodedata

_LINE_BREAKS = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
# Control characters, soft hyphens, direction and byte-order marks. The two joiners
# (U+200C and U+200D) are kept, because Persian, Hindi and emoji sequences need them.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\ufeff]"
)
_SPACES = re.compile(r"[^\S\n]+")
_EMPTY_LINES = re.compile(r"\n{3,}")


def normalize(text: str) -> str:
    r"""Normalize prose: composed characters, plain spaces, one kind of line break.

    This removes differences that readers cannot see but that would give two copies of a
    sentence different tokens: `é` as one character or as `e` plus an accent, no-break
    spaces, soft hyphens, spaces at line ends, repeated empty lines. It also removes
    indentation, so it is not suitable for code. Normalizing twice has no further
    effect.

    Source: Unicode Standard Annex 15, Unicode Normalization Forms (NFC),
    https://unicode.org/reports/tr15/

    >>> normalize("Cafe\u0301\u00a0 au\tlait \r\n\r\n\r\n\r\nfin\ufeff")
    'Café au lait\n\nfin'
    """
    text = _INVISIBLE.sub("", _LINE_BREAKS.sub("\n", text))
    # after the removals, which can bring a letter and its accent together
    text = unicodedata.normalize("NFC", text)
    lines = [_SPACES.sub(" ", line).strip() for line in text.split("\n")]
    return _EMPTY_LINES.sub("\n\n", "\n".join(lines)).strip()
