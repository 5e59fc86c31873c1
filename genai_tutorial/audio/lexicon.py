"""A pronunciation lexicon: the phonemes of each word, collected from aligned speech."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from genai_tutorial.data import Utterance

PAUSE = "_"
"""The symbol of the silence before and after a sentence."""


@dataclass(frozen=True)
class Lexicon:
    """The pronunciations of words, and of word pairs that are spoken as one word.

    Attributes:
        pronunciations: The phonemes of each word or pair.

    >>> lexicon = Lexicon({"a": ("ɐ",), "red": ("ɹ", "ˈɛ", "d")})
    >>> lexicon.phonemes("a red")
    ['_', 'ɐ', 'ɹ', 'ˈɛ', 'd', '_']
    """

    pronunciations: Mapping[str, tuple[str, ...]]

    @classmethod
    def from_utterances(cls, utterances: Iterable[Utterance]) -> "Lexicon":
        """Take the most frequent pronunciation of each word.

        Raises:
            ValueError: If there are no utterances.
        """
        heard: defaultdict[str, Counter] = defaultdict(Counter)
        for utterance in utterances:
            spoken = defaultdict(list)
            for phoneme in utterance.phonemes:
                spoken[phoneme.word].append(phoneme.label)
            for place, word in enumerate(utterance.words):
                heard[word.label][tuple(spoken[place])] += 1
        if not heard:
            raise ValueError("A lexicon needs utterances, got none.")
        return cls({word: heard[word].most_common(1)[0][0] for word in sorted(heard)})

    @property
    def symbols(self) -> tuple[str, ...]:
        """All phonemes, sorted, after the pause."""
        found = {label for labels in self.pronunciations.values() for label in labels}
        return (PAUSE, *sorted(found))

    def phonemes(self, text: str) -> list[str]:
        """Return the phonemes of a sentence, with a pause at both ends; word pairs take
        precedence over single words.

        Raises:
            ValueError: If a word is not in the lexicon, or the text has no words.
        """
        words, phonemes = text.lower().split(), [PAUSE]
        if not words:
            raise ValueError("There is nothing to say: the text has no words.")
        while words:
            for count in (2, 1):
                group = " ".join(words[:count])
                if group in self.pronunciations:
                    break
            else:
                raise ValueError(
                    f"The word {words[0]!r} has no pronunciation; these have: "
                    f"{', '.join(self.pronunciations)}."
                )
            phonemes += self.pronunciations[group]
            words = words[len(group.split()) :]
        return [*phonemes, PAUSE]
