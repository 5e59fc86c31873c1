"""n-gram models: the next token's probability from how often it followed the last few
tokens. They are the baseline for neural language models.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True)
class CountTable:
    """Counts of n-grams, and what is needed to turn them into probabilities.

    An n-gram is stored as one integer whose digits in base `vocab_size` are its tokens.
    """

    ngrams: Int[np.ndarray, "ngrams"]
    counts: Int[np.ndarray, "ngrams"]
    histories: Int[np.ndarray, "histories"]
    totals: Int[np.ndarray, "histories"]
    kinds: Int[np.ndarray, "histories"]
    discount: float
    vocab_size: int

    @classmethod
    def from_occurrences(
        cls, occurrences: Int[np.ndarray, "n"], vocab_size: int
    ) -> "CountTable":
        """Count n-grams; `kinds` is the number of different tokens after a history,
        `totals` the number of all tokens after it.
        """
        ngrams, counts = np.unique(occurrences, return_counts=True)
        histories, first = np.unique(ngrams // vocab_size, return_index=True)
        totals = np.add.reduceat(counts, first)
        kinds = np.diff(np.append(first, len(ngrams)))
        once, twice = int((counts == 1).sum()), int((counts == 2).sum())
        discount = once / (once + 2 * twice) if once else 0.5
        return cls(ngrams, counts, histories, totals, kinds, discount, vocab_size)

    def mix(
        self, ngrams: Int[np.ndarray, "n"], shorter: Float[np.ndarray, "n"]
    ) -> Float[np.ndarray, "n"]:
        """Return the probability of each n-gram's last token, given the probabilities
        for histories one token shorter.

        The discount is subtracted from every count, and the probability this frees is
        distributed in proportion to the probabilities of the shorter history.
        """
        count = _look_up(ngrams, self.ngrams, self.counts)
        total = _look_up(ngrams // self.vocab_size, self.histories, self.totals)
        kinds = _look_up(ngrams // self.vocab_size, self.histories, self.kinds)
        direct = np.maximum(count - self.discount, 0.0)
        mixed = (direct + self.discount * kinds * shorter) / np.maximum(total, 1)
        # an unseen history says nothing about the next token
        return np.where(total > 0, mixed, shorter)


@dataclass(frozen=True)
class NGramModel:
    """An n-gram model with interpolated Kneser-Ney smoothing.

    For shorter histories, a token counts by the number of different contexts it was
    seen in, not by its frequency: "Francisco" is frequent but follows only "San", so it
    is a poor guess after an unknown word.

    Attributes:
        tables: The counts, from single tokens to n-grams of `order` tokens.

    Source: Chen and Goodman, An Empirical Study of Smoothing Techniques for Language
        Modeling, section 2.7, https://dash.harvard.edu/handle/1/25104739; Kneser and
        Ney, https://doi.org/10.1109/ICASSP.1995.479394

    >>> model = NGramModel.fit(np.array([0, 1, 0, 1, 0, 2]), order=2, vocab_size=3)
    >>> model.next_probabilities([0]).round(3)  # after a 0: 1 twice, 2 once, 0 never
    array([0.044, 0.644, 0.311])
    """

    tables: tuple[CountTable, ...]
    vocab_size: int

    @classmethod
    def fit(
        cls, ids: Int[np.ndarray, "n"], order: int, vocab_size: int
    ) -> "NGramModel":
        """Count the n-grams of a text.

        Args:
            order: The length of the n-grams: 2 for a bigram model, which looks one
                token back.

        Raises:
            ValueError: If the text is shorter than `order`, has tokens outside the
                vocabulary, or the n-grams are too many for 64-bit integers.
        """
        if order < 1 or vocab_size**order >= 2**62:
            raise ValueError(
                f"order must be from 1 to {int(62 / np.log2(max(vocab_size, 2)))}, got "
                f"{order}."
            )
        if len(ids) < order:
            raise ValueError(
                f"The text must have at least {order} tokens for n-grams of {order}, "
                f"got {len(ids)}."
            )
        _check_tokens(ids, vocab_size)
        occurrences = _number_ngrams(np.asarray(ids), order, vocab_size)
        tables = [CountTable.from_occurrences(occurrences, vocab_size)]
        for length in range(order - 1, 0, -1):
            # Kneser and Ney: each different longer n-gram counts once for its ending.
            endings = tables[-1].ngrams % vocab_size**length
            tables.append(CountTable.from_occurrences(endings, vocab_size))
        return cls(tuple(reversed(tables)), vocab_size)

    @property
    def order(self) -> int:
        """The length of the longest n-grams."""
        return len(self.tables)

    def log_probabilities(self, ids: Int[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
        """Return log p(token | the tokens before it) for each token of a text, in
        nats.

        The first tokens have fewer tokens before them and are predicted from those.

        Raises:
            ValueError: If the text has tokens outside the vocabulary.
        """
        _check_tokens(ids, self.vocab_size)
        probability = np.full(len(ids), 1 / self.vocab_size)
        for length, table in enumerate(self.tables[: len(ids)], start=1):
            ngrams = _number_ngrams(np.asarray(ids), length, self.vocab_size)
            probability[length - 1 :] = table.mix(ngrams, probability[length - 1 :])
        return np.log(probability)

    def next_probabilities(self, history: list[int]) -> Float[np.ndarray, "vocab"]:
        """Return the probability of each token to come next.

        Args:
            history: The tokens so far; only the last `order - 1` matter.

        Raises:
            ValueError: If the history has tokens outside the vocabulary.
        """
        _check_tokens(np.array(history, dtype=np.int64), self.vocab_size)
        probability = np.full(self.vocab_size, 1 / self.vocab_size)
        for length, table in enumerate(self.tables[: len(history) + 1], start=1):
            number = 0
            for token in history[len(history) - length + 1 :]:
                number = number * self.vocab_size + token
            ngrams = number * self.vocab_size + np.arange(self.vocab_size)
            probability = table.mix(ngrams, probability)
        return probability


def _number_ngrams(
    ids: Int[np.ndarray, "n"], length: int, vocab_size: int
) -> Int[np.ndarray, "ngrams"]:
    count = len(ids) - length + 1
    numbers = np.zeros(count, dtype=np.int64)
    for start in range(length):
        numbers = numbers * vocab_size + ids[start : start + count]
    return numbers


def _look_up(wanted: np.ndarray, keys: np.ndarray, values: np.ndarray) -> np.ndarray:
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, values[place], 0)


def _check_tokens(ids: np.ndarray, vocab_size: int) -> None:
    if len(ids) and not 0 <= ids.min() <= ids.max() < vocab_size:
        raise ValueError(
            f"Tokens must be from 0 to {vocab_size - 1}, got values from {ids.min()} "
            f"to {ids.max()}."
        )
