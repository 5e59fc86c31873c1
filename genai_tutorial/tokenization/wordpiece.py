"""WordPiece, the tokenizer of BERT and its descendants: normalize a text, split it into
words, and cover each word with the longest pieces of a vocabulary.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

CONTINUED = "##"
"""The beginning of a piece that continues a word."""

LONGEST_WORD = 100
"""A word with more characters becomes the unknown token."""

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
"""The tokens that a vocabulary must have: padding, unknown word, beginning and end."""

# Blocks of Chinese characters, which are words by themselves. The library tokenizers
# begins the seventh at 2B920 where BERT's own code has 2B820; this follows the library.
_CHINESE = (
    (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F), (0x2B740, 0x2B81F), (0x2B920, 0x2CEAF), (0x2F800, 0x2FA1F),
)  # fmt: skip


@dataclass(frozen=True)
class WordPieceTokenizer:
    """A WordPiece tokenizer that ignores case and accents, such as MiniLM's.

    Attributes:
        vocabulary: All pieces; a piece's index is its number. Pieces that continue a
            word begin with `##`.

    Raises:
        ValueError: If a piece occurs twice or one of `SPECIAL_TOKENS` is missing.

    Source: Devlin et al., BERT, section 3 (input representations),
        https://arxiv.org/abs/1810.04805; the greedy longest match is that of Song et
        al., Fast WordPiece Tokenization, section 3, https://arxiv.org/abs/2012.15524

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
        if missing := [token for token in SPECIAL_TOKENS if token not in self._number]:
            raise ValueError(
                f"The vocabulary must have {', '.join(SPECIAL_TOKENS)}; it lacks "
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
        return [
            piece
            for word in split_words(normalize(text))
            for piece in self._cover(word)
        ]

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
        if max_length is not None:
            ids = ids[: max_length - 2]
        return [self._number["[CLS]"], *ids, self._number["[SEP]"]]

    def decode(self, ids: Sequence[int]) -> str:
        """Return a text with these pieces: words in lower case with spaces between
        them, without special tokens.

        Raises:
            ValueError: If a number is not one of this tokenizer's.
        """
        if wrong := [index for index in ids if not 0 <= index < self.vocab_size]:
            raise ValueError(
                f"Tokens must be from 0 to {self.vocab_size - 1}, got {wrong[0]}."
            )
        pieces = [self.vocabulary[index] for index in ids]
        joined = " ".join(piece for piece in pieces if piece not in SPECIAL_TOKENS)
        return joined.replace(" " + CONTINUED, "")

    @cached_property
    def _number(self) -> dict[str, int]:
        return {piece: index for index, piece in enumerate(self.vocabulary)}

    def _cover(self, word: str) -> list[str]:
        """Return the longest piece that the word begins with, the longest that
        continues it, and so on; the unknown token if that does not come to its end.
        """
        if len(word) > LONGEST_WORD:
            return ["[UNK]"]
        pieces, start = [], 0
        while start < len(word):
            prefix = CONTINUED if start else ""
            for end in range(len(word), start, -1):
                if prefix + word[start:end] in self._number:
                    pieces.append(prefix + word[start:end])
                    start = end
                    break
            else:
                return ["[UNK]"]
        return pieces


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
    """Split a text at white space and around each punctuation mark."""
    spaced = "".join(
        f" {character} " if _is_punctuation(character) else character
        for character in text
    )
    return spaced.split()


def _clean(character: str) -> str:
    if character.isspace() and unicodedata.category(character) != "Cc":
        return " "
    if character in "\t\n\r":
        return " "
    if character == "\ufffd" or unicodedata.category(character) in ("Cc", "Cf", "Co"):
        return ""
    code = ord(character)
    if any(first <= code <= last for first, last in _CHINESE):
        return f" {character} "
    return character


def _is_punctuation(character: str) -> bool:
    # BERT also counts ASCII symbols such as $ and +.
    is_ascii = character.isascii() and character.isprintable()
    return (
        is_ascii and not character.isalnum() and character != " "
    ) or unicodedata.category(character).startswith("P")
