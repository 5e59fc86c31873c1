"""Streaming decoder: returns each character as soon as its last byte has arrived."""

import codecs
from collections.abc import Sequence
from typing import Literal


class StreamDecoder:
    """Decodes tokens one at a time and never returns part of a character.

    An emoji can be four bytes in as many tokens: the first three give an empty string,
    the fourth gives the emoji. All pieces joined equal the result of
    `BPETokenizer.decode` for all tokens.

    Args:
        errors: "replace" decodes invalid bytes as `�`, "strict" raises.

    >>> stream = StreamDecoder([b"ca", b"f", b"\\xc3", b"\\xa9"])
    >>> [stream.push(index) for index in (0, 1, 2, 3)]
    ['ca', 'f', '', 'é']
    >>> stream.finish()
    ''
    """

    def __init__(
        self,
        token_bytes: Sequence[bytes],
        errors: Literal["replace", "strict"] = "replace",
    ):
        if errors not in ("replace", "strict"):
            raise ValueError(f"errors must be 'replace' or 'strict', got {errors!r}.")
        self._token_bytes = token_bytes
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors)

    def push(self, index: int) -> str:
        """Take the next token and return the characters that it completes.

        Raises:
            ValueError: If there is no such token, or with errors="strict" if its bytes
                are not valid UTF-8.
        """
        if not 0 <= index < len(self._token_bytes):
            raise ValueError(
                f"A token must be from 0 to {len(self._token_bytes) - 1}, got {index}."
            )
        return self._decoder.decode(self._token_bytes[index])

    def finish(self) -> str:
        """Return the rest after the last token: nothing, or `�` for an incomplete
        character.

        Raises:
            ValueError: If `errors="strict"` and the last character is incomplete.
        """
        return self._decoder.decode(b"", final=True)
