"""From tokens to pieces of text, up to a text to stop at."""

from collections.abc import Sequence

from genai_tutorial.tokenization import StreamDecoder


class TextStream:
    r"""Turns tokens into text as they come: never part of a character, and nothing of a
    text to stop at.

    The end of the text is held back as long as it may be the beginning of a text to
    stop at.

    Args:
        decoder: Turns tokens into characters.
        stops: The texts to stop at, none of them empty.
        trim: Whether to drop spaces at the start, where chat models put one.

    >>> text = TextStream(StreamDecoder([b"a", b"\n", b"\n\n"]), ["\n\n"])
    >>> [text.push(token) for token in (0, 1, 0, 1, 1)], text.is_stopped
    (['a', '', '\na', '', ''], True)
    """

    def __init__(
        self, decoder: StreamDecoder, stops: Sequence[str] = (), trim: bool = False
    ):
        self.decoder, self.stops, self.trim = decoder, tuple(stops), trim
        self.is_stopped = False
        self._held = ""

    def push(self, token: int) -> str:
        """Take the next token and return the text that is now certain."""
        return self._release(self.decoder.push(token), is_last=False)

    def finish(self) -> str:
        """Return the rest after the last token."""
        return self._release(self.decoder.finish(), is_last=True)

    def _release(self, new: str, is_last: bool) -> str:
        if self.is_stopped:
            return ""
        self._held += new
        if self.trim:
            self._held = self._held.lstrip(" ")
            self.trim = not self._held
        places = [self._held.find(stop) for stop in self.stops]
        end = min((place for place in places if place >= 0), default=None)
        self.is_stopped = end is not None
        if end is None:
            end = len(self._held) - (0 if is_last else self._begun())
        text, self._held = self._held[:end], self._held[end:]
        return text

    def _begun(self) -> int:
        """Return how many characters at the end begin one of the texts to stop at."""
        longest = max((len(stop) for stop in self.stops), default=1) - 1
        for count in range(min(longest, len(self._held)), 0, -1):
            end = self._held[-count:]
            if any(stop.startswith(end) for stop in self.stops):
                return count
        return 0
