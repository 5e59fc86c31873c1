"""A tokenizer whose tokens are whole words, for texts with a small vocabulary such as
captions of simple pictures.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

_BEFORE_WORDS = 2
"""The number of tokens before the words: padding and end of text."""


@dataclass(frozen=True)
class WordTokenizer:
    """Word tokenizer: splits a text at spaces and ignores case.

    Token 0 pads shorter texts (`PADDING`), token 1 ends each text (`END`), and the
    words follow in order.

    Raises:
        ValueError: If there are no words, or one is a duplicate or contains a space or
            a capital letter.

    >>> tokenizer = WordTokenizer.from_texts(["a red circle", "a blue square"])
    >>> tokenizer.words, tokenizer.vocab_size
    (('a', 'blue', 'circle', 'red', 'square'), 7)
    >>> tokenizer.encode("A blue circle")
    [2, 3, 4, 1]
    >>> tokenizer.decode([2, 3, 4, 1, 0, 0])
    'a blue circle'
    """

    words: tuple[str, ...]

    PADDING = 0
    END = 1

    def __post_init__(self):
        if not self.words:
            raise ValueError("words must hold at least one word, got none.")
        if len(set(self.words)) < len(self.words):
            twice = _sorted(word for word in self.words if self.words.count(word) > 1)
            raise ValueError(
                f"words must all be different, got these more than once: {twice}."
            )
        if wrong := [word for word in self.words if word.lower().split() != [word]]:
            raise ValueError(f"A word has no spaces and no capitals, got {wrong}.")

    @classmethod
    def from_texts(cls, texts: Iterable[str]) -> "WordTokenizer":
        """Use the distinct words of some texts as the vocabulary, sorted."""
        return cls(
            tuple(sorted({word for text in texts for word in text.lower().split()}))
        )

    @property
    def vocab_size(self) -> int:
        """The number of distinct tokens: the words, the padding and the end."""
        return len(self.words) + _BEFORE_WORDS

    def encode(self, text: str) -> list[int]:
        """Return the number of each word, followed by `END`.

        Raises:
            ValueError: If the text has words that the vocabulary lacks.
        """
        number = {
            word: index for index, word in enumerate(self.words, start=_BEFORE_WORDS)
        }
        words = text.lower().split()
        if unknown := _sorted(word for word in words if word not in number):
            shown = ", ".join(self.words[:100]) + (
                ", and more" if len(self.words) > 100 else ""
            )
            raise ValueError(
                f"The text {text!r} has words that are not in the vocabulary: "
                f"{unknown}. "
                f"It has {len(self.words)}: {shown}."
            )
        return [*(number[word] for word in words), self.END]

    def encode_batch(
        self, texts: Sequence[str], length: int
    ) -> Int[Tensor, "text length"]:
        """Return one row for each text, padded to the same length.

        Args:
            length: The number of tokens per row.

        Raises:
            ValueError: If a text has unknown words, or more than `length` tokens,
                including its end.

        >>> WordTokenizer(("a", "circle", "red")).encode_batch(
        ...     ["a red circle", "a circle"], length=5
        ... )
        tensor([[2, 4, 3, 1, 0],
                [2, 3, 1, 0, 0]])
        """
        rows = torch.full((len(texts), length), self.PADDING)
        for row, text in zip(rows, texts, strict=True):
            ids = self.encode(text)
            if len(ids) > length:
                raise ValueError(
                    f"The text {text!r} needs {len(ids)} tokens with its end, and "
                    f"length is {length}."
                )
            row[: len(ids)] = torch.tensor(ids)
        return rows

    def decode(self, ids: Sequence[int]) -> str:
        """Return the words up to the end, with spaces between them.

        Raises:
            ValueError: If a number is not one of this tokenizer's.
        """
        words = []
        for index in ids:
            if not 0 <= index < self.vocab_size:
                raise ValueError(
                    f"ids must be from 0 to {self.vocab_size - 1}, got {index}."
                )
            if index == self.END:
                break
            if index != self.PADDING:
                words.append(self.words[index - _BEFORE_WORDS])
        return " ".join(words)

    def to_dict(self) -> dict[str, list[str]]:
        """Return a dictionary for `from_dict` that JSON can store."""
        return {"words": list(self.words)}

    @classmethod
    def from_dict(cls, saved: dict[str, list[str]]) -> "WordTokenizer":
        """Restore a tokenizer from the result of `to_dict`.

        Raises:
            ValueError: If the dictionary has another format.
        """
        if set(saved) != {"words"} or not isinstance(saved["words"], list):
            raise ValueError(
                f"A saved tokenizer has one entry, 'words', with a list; got {saved!r}."
            )
        return cls(tuple(saved["words"]))


def _sorted(words: Iterable[str]) -> list[str]:
    return sorted(set(words))
