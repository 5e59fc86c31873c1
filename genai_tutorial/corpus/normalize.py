"""Normalizing: the same text in the same characters, however it was typed and wherever
it was copied from.
"""

import re
import unicodedata

_LINE_BREAKS = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
# Control characters, soft hyphens, marks of direction and byte order. The two joiners
# (U+200C and U+200D) stay: Persian and Hindi are spelt with them, and emoji are put
# together with them.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\ufeff]"
)
_SPACES = re.compile(r"[^\S\n]+")
_EMPTY_LINES = re.compile(r"\n{3,}")


def normalize(text: str) -> str:
    r"""Write a text of prose in one way: composed characters, plain spaces, one kind
    of line break.

    What goes is what a reader cannot see, and yet would give two copies of a sentence
    different tokens: `é` as one character or as `e` and an accent, no-break spaces,
    soft hyphens, spaces at the ends of lines, empty lines in a row. Indentation goes
    too, so this is not for code. Doing it twice changes nothing more.

    Source: Unicode Standard Annex 15, Unicode Normalization Forms (NFC),
    https://unicode.org/reports/tr15/

    >>> normalize("Cafe\u0301\u00a0 au\tlait \r\n\r\n\r\n\r\nfin\ufeff")
    'Café au lait\n\nfin'
    """
    text = _INVISIBLE.sub("", _LINE_BREAKS.sub("\n", text))
    # after the removals: they can bring a letter and its accent together
    text = unicodedata.normalize("NFC", text)
    lines = [_SPACES.sub(" ", line).strip() for line in text.split("\n")]
    return _EMPTY_LINES.sub("\n\n", "\n".join(lines)).strip()
