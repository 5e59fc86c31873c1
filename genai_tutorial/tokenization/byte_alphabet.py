"""A printable character for every byte, so that tokens can be written to text files."""

import functools


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
            "represents no byte in GPT-2's "
            "alphabet: the file is damaged, or its tokens are not byte-level."
        ) from None


@functools.cache
def _unicode_to_byte() -> dict[str, int]:
    return {character: byte for byte, character in byte_to_unicode().items()}
