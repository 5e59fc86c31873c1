"""Stopping at a text, which may be spread over several tokens or end inside one."""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

Stop = Callable[[Sequence[int]], bool]
"""A function that says whether a row is finished, given the tokens drawn for it."""


@runtime_checkable
class Decoder(Protocol):
    """The `Decoder` protocol: anything that turns tokens into text, such as a
    tokenizer.
    """

    def decode(self, ids: list[int]) -> str:
        """Return the text of the tokens."""
        ...


class StopAtText:
    r"""Stops a row as soon as its new text contains one of the given texts.

    Args:
        tokenizer: Decodes the tokens.

    Raises:
        ValueError: If there is no text, or one is empty.

    >>> from genai_tutorial.tokenization import CharacterTokenizer
    >>> tokenizer = CharacterTokenizer.from_text("return x\n\ndef f")
    >>> stop = StopAtText(tokenizer, ["\ndef "])
    >>> stop(tokenizer.encode("return x\nde")), stop(tokenizer.encode("\ndef "))
    (False, True)
    >>> stop.cut("return x\ndef f")
    'return x'
    """

    def __init__(self, tokenizer: Decoder, texts: Sequence[str]):
        if isinstance(texts, str):
            raise ValueError(f"texts must be a list of texts, got the text {texts!r}.")
        if not texts or not all(texts):
            raise ValueError(
                "There must be at least one text to stop at, and none may be empty; "
                f"got {list(texts)}."
            )
        self.tokenizer, self.texts = tokenizer, tuple(texts)
        # Each token has at least one byte, so a text that the newest token completes
        # began at most this many tokens ago.
        self._longest = max(len(text.encode()) for text in self.texts)

    def __call__(self, drawn: Sequence[int]) -> bool:
        """Return whether one of the texts is in the last tokens."""
        end = self.tokenizer.decode(list(drawn[-self._longest :]))
        return any(text in end for text in self.texts)

    def cut(self, text: str) -> str:
        """Return the text up to the first of the texts to stop at."""
        ends = [text.find(stop) for stop in self.texts]
        return text[: min((end for end in ends if end >= 0), default=len(text))]
