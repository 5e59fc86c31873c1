"""Tokenizers with a fixed vocabulary: characters, whole words, BERT's word pieces."""

import string
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile

import torch
from jaxtyping import Int
from torch import Tensor

_BEFORE_WORDS = 2  # tokens of a WordTokenizer: padding and end of text
_CONTINUED = "##"  # the beginning of a word piece that continues a word
_LONGEST_WORD = 100  # with more characters, a word becomes the unknown token
_SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")  # which word pieces must have

# Blocks of Chinese characters, which are words by themselves. The library tokenizers
# begins the seventh at 2B920 where BERT's own code has 2B820; this follows the library.
_CHINESE = (
    (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F), (0x2B740, 0x2B81F), (0x2B920, 0x2CEAF), (0x2F800, 0x2FA1F),
)  # fmt: skip


@dataclass(frozen=True)
class CharacterTokenizer:
    """Character tokenizer: each character of an alphabet is a token.

    Attributes:
        characters: The alphabet; a character's index is its number.

    Raises:
        ValueError: If the alphabet is empty or has duplicate characters.

    >>> tokenizer = CharacterTokenizer.from_text("to be or not to be")
    >>> tokenizer.characters, tokenizer.encode("toe"), tokenizer.decode([3, 4, 6])
    (' benort', [6, 4, 2], 'not')
    """

    characters: str

    def __post_init__(self):
        _check_different(self.characters, "character")

    @classmethod
    def from_text(cls, text: str) -> "CharacterTokenizer":
        """Use the distinct characters of a text as the alphabet, sorted."""
        return cls("".join(sorted(set(text))))

    @property
    def vocab_size(self) -> int:
        """The number of distinct tokens."""
        return len(self.characters)

    def encode(self, text: str) -> list[int]:
        """Return the number of each character.

        Raises:
            ValueError: If the text has a character that the alphabet lacks.
        """
        number = {character: index for index, character in enumerate(self.characters)}
        if unknown := sorted(set(text) - number.keys()):
            raise ValueError(
                f"The text has characters that are not in the vocabulary: {unknown}. "
                f"The vocabulary has {self.vocab_size}: {self.characters!r}. Remove or "
                "replace them, or make a tokenizer from a text that contains them."
            )
        return [number[character] for character in text]

    def decode(self, ids: list[int]) -> str:
        """Return the text of a list of numbers.

        Raises:
            ValueError: If a number is not one of this tokenizer's.
        """
        _check_ids(ids, self.vocab_size)
        return "".join(self.characters[index] for index in ids)

    def to_dict(self) -> dict[str, str]:
        """Return a dictionary for `from_dict` that JSON can store."""
        return {"characters": self.characters}

    @classmethod
    def from_dict(cls, saved: dict[str, str]) -> "CharacterTokenizer":
        """Restore a tokenizer from the result of `to_dict`.

        Raises:
            ValueError: If the dictionary has another format.
        """
        match saved:
            case {"characters": str(text), **more} if not more:
                return cls(text)
        raise ValueError(
            "A saved tokenizer has one entry, 'characters', with a text; got "
            f"{saved!r}."
        )


@dataclass(frozen=True)
class WordTokenizer:
    """Word tokenizer: splits a text at spaces and ignores case.

    Token 0 pads shorter texts (`PADDING`), token 1 ends each text (`END`), and the
    words follow in order.

    Raises:
        ValueError: If there are no words, or one is a duplicate or contains a space or
            a capital letter.

    >>> tokenizer = WordTokenizer.from_texts(["a red circle", "a blue square"])
    >>> tokenizer.words, tokenizer.encode("A blue circle")
    (('a', 'blue', 'circle', 'red', 'square'), [2, 3, 4, 1])
    >>> tokenizer.decode([2, 3, 4, 1, 0, 0])
    'a blue circle'
    """

    words: tuple[str, ...]

    PADDING = 0
    END = 1

    def __post_init__(self):
        _check_different(self.words, "word")
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
        number = {word: i for i, word in enumerate(self.words, start=_BEFORE_WORDS)}
        words = text.lower().split()
        if unknown := sorted({word for word in words if word not in number}):
            shown = ", ".join(self.words[:100])
            shown += ", and more" if len(self.words) > 100 else ""
            raise ValueError(
                f"The text {text!r} has words that are not in the vocabulary: "
                f"{unknown}. It has {len(self.words)}: {shown}."
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
        text = list(takewhile(lambda index: index != self.END, ids))
        _check_ids(text, self.vocab_size)
        return " ".join(
            self.words[i - _BEFORE_WORDS] for i in text if i != self.PADDING
        )

    def to_dict(self) -> dict[str, list[str]]:
        """Return a dictionary for `from_dict` that JSON can store."""
        return {"words": list(self.words)}

    @classmethod
    def from_dict(cls, saved: dict[str, list[str]]) -> "WordTokenizer":
        """Restore a tokenizer from the result of `to_dict`.

        Raises:
            ValueError: If the dictionary has another format.
        """
        match saved:
            case {"words": list(words), **more} if not more:
                if all(isinstance(word, str) for word in words):
                    return cls(tuple(words))
        raise ValueError(
            "A saved tokenizer has one entry, 'words', with a list of words; got "
            f"{saved!r}."
        )


@dataclass(frozen=True)
class WordPieceTokenizer:
    """A WordPiece tokenizer that ignores case and accents, such as MiniLM's.

    Attributes:
        vocabulary: All pieces; a piece's index is its number. Pieces that continue a
            word begin with `##`.

    Raises:
        ValueError: If a piece occurs twice, or `[PAD]`, `[UNK]`, `[CLS]` or `[SEP]` is
            missing.

    Source: Devlin et al., BERT, section 3 (input representations),
        https://arxiv.org/abs/1810.04805; the greedy longest match follows Song et al.,
        Fast WordPiece Tokenization, section 3, https://arxiv.org/abs/2012.15524

    >>> tokenizer = WordPieceTokenizer(
    ...     ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "new", "##er", "!", "nai", "##robi")
    ... )
    >>> tokenizer.pieces("Newer Nairobi!"), tokenizer.pieces("newest")
    (['new', '##er', 'nai', '##robi', '!'], ['[UNK]'])
    >>> tokenizer.encode("newer")
    [2, 4, 5, 3]
    """

    vocabulary: tuple[str, ...]

    def __post_init__(self):
        if len(self._number) < len(self.vocabulary):
            raise ValueError(
                f"The pieces must all be different, but only {len(self._number)} of "
                f"{len(self.vocabulary)} are."
            )
        if missing := [token for token in _SPECIAL_TOKENS if token not in self._number]:
            raise ValueError(
                f"The vocabulary must have {', '.join(_SPECIAL_TOKENS)}; it lacks "
                f"{', '.join(missing)}."
            )

    @classmethod
    def from_text(cls, text: str) -> "WordPieceTokenizer":
        """Read a `vocab.txt`: one piece a line.

        Raises:
            ValueError: If the vocabulary is invalid.
        """
        return cls(tuple(text.removesuffix("\n").split("\n")))

    @property
    def vocab_size(self) -> int:
        """The number of pieces, including special tokens."""
        return len(self.vocabulary)

    @property
    def padding(self) -> int:
        """The number of the padding token."""
        return self._number["[PAD]"]

    def pieces(self, text: str) -> list[str]:
        """Return the pieces of a text, without special tokens.

        A special token's name in the text, such as `[SEP]`, is ordinary text.
        """
        words = split_words(normalize(text))
        return [piece for word in words for piece in self._cover(word)]

    def encode(self, text: str, max_length: int | None = None) -> list[int]:
        """Return the numbers of a text's pieces between the tokens `[CLS]` and `[SEP]`.

        Args:
            max_length: The largest number of tokens; further pieces are cut off. None
                keeps all.

        Raises:
            ValueError: If `max_length` is below 2, the number of special tokens.
        """
        if max_length is not None and max_length < 2:
            raise ValueError(
                f"max_length must be at least 2, for [CLS] and [SEP]; got {max_length}."
            )
        ids = [self._number[piece] for piece in self.pieces(text)]
        ids = ids if max_length is None else ids[: max_length - 2]
        return [self._number["[CLS]"], *ids, self._number["[SEP]"]]

    @cached_property
    def _number(self) -> dict[str, int]:
        return {piece: index for index, piece in enumerate(self.vocabulary)}

    def _cover(self, word: str) -> list[str]:
        """Return the longest piece that the word begins with, the longest that
        continues it, and so on; the unknown token if that does not come to its end.
        """
        if len(word) > _LONGEST_WORD:
            return ["[UNK]"]
        pieces, start = [], 0
        while start < len(word):
            prefix = _CONTINUED if start else ""
            for end in range(len(word), start, -1):
                if prefix + word[start:end] in self._number:
                    pieces.append(prefix + word[start:end])
                    start = end
                    break
            else:
                return ["[UNK]"]
        return pieces


def _check_different(entries: Sequence[str], kind: str) -> None:
    if not entries:
        raise ValueError(f"A vocabulary needs at least one {kind}, got none.")
    if twice := sorted(one for one, count in Counter(entries).items() if count > 1):
        raise ValueError(
            f"Each {kind} must be there once, got these more than once: {twice}."
        )


def _check_ids(ids: Sequence[int], vocab_size: int) -> None:
    for index in ids:
        if not 0 <= index < vocab_size:
            raise ValueError(f"ids must be from 0 to {vocab_size - 1}, got {index}.")


def normalize(text: str) -> str:
    r"""Remove control characters and accents, write everything in lower case, and put
    spaces around Chinese characters.
    """
    cleaned = "".join(_clean(character) for character in text)
    plain = (
        character
        for character in unicodedata.normalize("NFD", cleaned)
        if unicodedata.category(character) != "Mn"
    )
    # Character by character: str.lower writes another sigma at the ends of words.
    return "".join(character.lower() for character in plain)


def split_words(text: str) -> list[str]:
    """Split a text at whitespace and around each punctuation mark."""
    return "".join(f" {c} " if _is_punctuation(c) else c for c in text).split()


def _clean(character: str) -> str:
    category = unicodedata.category(character)
    if character in "\t\n\r" or (character.isspace() and category != "Cc"):
        return " "
    if character == "\ufffd" or category in ("Cc", "Cf", "Co"):
        return ""
    code = ord(character)
    if any(first <= code <= last for first, last in _CHINESE):
        return f" {character} "
    return character


def _is_punctuation(character: str) -> bool:
    # BERT also counts ASCII symbols such as $ and +.
    return character in string.punctuation or unicodedata.category(character)[0] == "P"
