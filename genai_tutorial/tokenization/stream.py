"""Decoding while the tokens still come: a character is given out when its last byte is
there.
"""

import codecs
from collections.abc import Sequence
from typing import Literal


class StreamDecoder:
    """Turns tokens into text one at a time, and never gives out half a character.

    An emoji can be four bytes in as many tokens: the first three give an empty text,
    the fourth gives the emoji. All pieces together are what `BPETokenizer.decode` makes
    of all tokens.

    Args:
        token_bytes: The bytes of each token.
        errors: What becomes of bytes that are no text: "replace" writes `�` for them,
            "strict" raises.

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
        """Take the next token and returns the text that is complete with it.

        Raises:
            ValueError: If there is no such token, or with errors="strict" if its bytes
                cannot be text.
        """
        if not 0 <= index < len(self._token_bytes):
            raise ValueError(
                f"A token must be from 0 to {len(self._token_bytes) - 1}, got {index}."
            )
        return self._decoder.decode(self._token_bytes[index])

    def finish(self) -> str:
        """Return what is left when no token comes any more: nothing, or `�` for a
        character that was cut off.

        Raises:
            ValueError: If `errors="strict"` and the last character is cut off.
        """
        return self._decoder.decode(b"", final=True)
