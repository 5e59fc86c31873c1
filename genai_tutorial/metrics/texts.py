"""Measures of texts: repetition and word error rate."""

from collections.abc import Sequence
from dataclasses import dataclass


def repeated_share(tokens: Sequence, size: int) -> float:
    """Return the share of a text's n-grams, of `size` characters, words or tokens, that
    occur earlier in it; 0 for a text shorter than one.

    Raises:
        ValueError: If the size is below 1.

    Source: Welleck et al., Neural Text Generation with Unlikelihood Training, section
    6.1 (seq-rep-n), https://arxiv.org/abs/1908.04319

    >>> repeated_share("to be or to be", 5)  # "to be" is one of ten, and comes twice
    0.1
    """
    if size < 1:
        raise ValueError(f"size must be at least 1, got {size}.")
    grams = [tuple(tokens[i : i + size]) for i in range(len(tokens) - size + 1)]
    return (len(grams) - len(set(grams))) / max(len(grams), 1)


@dataclass(frozen=True)
class WordErrors:
    """The smallest number of edits from the reference to a transcript.

    Attributes:
        substitutions: Words replaced by other words.
        deletions: Words missing from the transcript.
        insertions: Words that were not said.
        words: The number of words that were said.
    """

    substitutions: int
    deletions: int
    insertions: int
    words: int

    @property
    def edits(self) -> int:
        """The total number of edits."""
        return self.substitutions + self.deletions + self.insertions


def word_errors(said: str, transcript: str) -> WordErrors:
    """Count the edits between two sentences: the Levenshtein distance of their words.

    Words are separated by spaces and compared exactly, including case and punctuation.
    Among equally short sequences of edits, substitutions are preferred.

    >>> word_errors("a red circle", "a big bed circle")
    WordErrors(substitutions=1, deletions=0, insertions=1, words=3)
    """
    reference, guess = said.split(), transcript.split()
    # row[j]: (edits, substitutions, deletions, insertions) for the first j words
    row = [(j, 0, 0, j) for j in range(len(guess) + 1)]
    for i, word in enumerate(reference, start=1):
        above, row = row, [(i, 0, i, 0)]
        for j, heard in enumerate(guess, start=1):
            edits, substituted, deleted, inserted = above[j - 1]
            wrong = int(word != heard)
            replace = (edits + wrong, substituted + wrong, deleted, inserted)
            edits, substituted, deleted, inserted = above[j]
            delete = (edits + 1, substituted, deleted + 1, inserted)
            edits, substituted, deleted, inserted = row[j - 1]
            insert = (edits + 1, substituted, deleted, inserted + 1)
            row.append(min(replace, delete, insert, key=lambda path: path[0]))
    _, substituted, deleted, inserted = row[-1]
    return WordErrors(substituted, deleted, inserted, len(reference))


def word_error_rate(said: Sequence[str], transcripts: Sequence[str]) -> float:
    r"""Return the total number of edits divided by the number of words that were said.

    $$\text{WER} = \frac{\text{substitutions} + \text{deletions} + \text{insertions}}
    {\text{words said}}$$

    It can exceed 1, because a transcript can invent any number of words.

    Raises:
        ValueError: If the numbers of texts differ, or no word was said.

    >>> word_error_rate(
    ...     ["a red circle", "two squares"], ["a bed circle", "two squares"]
    ... )
    0.2
    """
    if isinstance(said, str) or isinstance(transcripts, str):
        raise ValueError("Give lists of texts, not a single string.")
    if len(said) != len(transcripts):
        raise ValueError(
            "Each utterance needs one transcript, got "
            f"{len(said)} texts and {len(transcripts)} transcripts."
        )
    errors = [word_errors(*pair) for pair in zip(said, transcripts, strict=True)]
    words = sum(one.words for one in errors)
    if words == 0:
        raise ValueError("Nobody said a word, so there is no rate.")
    return sum(one.edits for one in errors) / words
