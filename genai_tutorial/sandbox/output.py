"""Printed output of untrusted code, of which only the beginning is kept."""

import io


class KeptOutput(io.TextIOBase):
    """Captures printed output and keeps its beginning.

    Args:
        limit: The number of characters to keep.

    >>> output = KeptOutput(5)
    >>> print("12345678", file=output)
    >>> output.text()
    '12345\\n... and 4 more characters'
    """

    def __init__(self, limit: int) -> None:
        self._parts: list[str] = []
        self._room, self._lost = limit, 0

    def writable(self) -> bool:
        """Return that it can be written to."""
        return True

    def write(self, text: str) -> int:
        """Keep a text as far as there is room, and return its length."""
        text = str(text)
        kept = text[: self._room]
        if kept:
            self._parts.append(kept)
        self._room -= len(kept)
        self._lost += len(text) - len(kept)
        return len(text)

    def text(self) -> str:
        """Return what was kept, and how much was not."""
        more = f"\n... and {self._lost:,} more characters" if self._lost else ""
        return "".join(self._parts) + more
