"""A language model of words for the beam search of a speech recognizer."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

_SMOOTHING = 0.01  # added to every count, so that nothing is impossible


class BigramModel:
    """The probability of each word given the one before it, counted in sentences."""

    def __init__(self, sentences: Sequence[Sequence[int]], labels: int):
        self.labels = labels
        self.counts: defaultdict[int, Counter] = defaultdict(Counter)
        for sentence in sentences:
            # label 0 is the blank, and stands for both ends of a sentence here
            for before, after in zip([0, *sentence], [*sentence, 0], strict=True):
                self.counts[before][after] += 1

    def __call__(self, transcript: tuple[int, ...], label: int | None) -> float:
        """Return the log-probability of a label after a transcript."""
        row = self.counts[transcript[-1] if transcript else 0]
        count = row[label or 0] + _SMOOTHING
        return math.log(count / (sum(row.values()) + _SMOOTHING * self.labels))
