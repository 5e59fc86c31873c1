"""A tokenizer whose tokens are single characters."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CharacterTokenizer:
    """Character tokenizer: each character of an alphabet is a token.

    Attributes:
        characters: The alphabet; a character's index is its number.

    Raises:
        ValueError: If the alphabet is empty or has duplicate characters.

    >>> tokenizer = CharacterTokenizer.from_text("to be or not to be")
    >>> tokenizer.characters, tokenizer.vocab_size
    (' benort', 7)
    >>> tokenizer.encode("toe")
    [6, 4, 2]
    >>> tokenizer.decode([3, 4, 6])
    'not'
    """

    characters: str

    def __post_init__(self):
        if not self.characters:
            raise ValueError(
                "characters must hold at least one character, got an empty text."
            )
        if len(set(self.characters)) < len(self.characters):
            twice = sorted({c for c in self.characters if self.characters.count(c) > 1})
            raise ValueError(
                f"characters must all be different, got these more than once: {twice}."
            )

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
        try:
            return [number[character] for character in text]
        except KeyError:
            unknown = sorted(set(text) - set(self.characters))
            raise ValueError(
                "The text has characters that are not in the vocabulary: "
                f"{unknown}. "
                f"The vocabulary has {self.vocab_size}: {self.characters!r}. Remove or "
                "replace them, "
                "or make a tokenizer from a text that contains them."
            ) from None

    def decode(self, ids: list[int]) -> str:
        """Return the text of a list of numbers.

        Raises:
            ValueError: If a number is not one of this tokenizer's.
        """
        for index in ids:
            if not 0 <= index < self.vocab_size:
                raise ValueError(
                    f"ids must be from 0 to {self.vocab_size - 1}, got {index}."
                )
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
        if set(saved) != {"characters"} or not isinstance(saved["characters"], str):
            raise ValueError(
                "A saved tokenizer has one entry, 'characters', with a text; got "
                f"{saved!r}."
            )
        return cls(saved["characters"])
