"""Text from students, made safe to write to files, browsers and terminals."""

import re

# Control characters other than tab and line break, surrogates (which UTF-8 cannot
# encode), bidirectional control characters, and two code points that are not
# characters.
_ILLEGIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufffe\uffff]"
)


def legible(text: str, longest: int | None = None) -> str:
    r"""Replace characters that cannot be displayed, or that would mislead, by escapes.

    Args:
        text: Any string, including lone surrogates.
        longest: Number of characters to keep; None keeps all.

    >>> legible("a\x00b\ud800")
    'a\\u0000b\\ud800'
    >>> legible("spam " * 3, longest=6)
    'spam s ... (9 more characters)'
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = _ILLEGIBLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    if longest is None or len(text) <= longest:
        return text
    return f"{text[:longest]} ... ({len(text) - longest:,} more characters)"
