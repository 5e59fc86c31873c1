"""Prefix beam search: find the most likely transcript of a CTC recognizer, with or
without a language model.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence

from jaxtyping import Float
from torch import Tensor

from .ctc import BLANK

LanguageModel = Callable[[tuple[int, ...], int | None], float]
"""A function that returns the log-probability of a label after a transcript; the label
None stands for the end of the transcript.
"""


class BigramModel:
    """The probability of each word given the one before it, counted in sentences.

    Args:
        labels: The number of labels, the blank included.
        smoothing: Added to every count, so that nothing is impossible; above 0.

    Raises:
        ValueError: If there is no sentence, or `smoothing` is not above 0.

    >>> model = BigramModel([[1, 2], [1, 3]], labels=4, smoothing=0.01)
    >>> round(math.exp(model((1,), 2)), 2)
    0.5
    """

    def __init__(
        self,
        sentences: Sequence[Sequence[int]],
        labels: int,
        smoothing: float | int = 0.01,
    ):
        if not sentences or not smoothing > 0:
            raise ValueError(
                "A bigram model needs sentences and smoothing above 0, got "
                f"{len(sentences)} sentences and {smoothing=}."
            )
        self.labels, self.smoothing = labels, smoothing
        self.counts: defaultdict[int, defaultdict[int, int]] = defaultdict(
            lambda: defaultdict(int)
        )
        for sentence in sentences:
            # label 0 is the blank, and stands for both ends of a sentence here
            for before, after in zip([0, *sentence], [*sentence, 0], strict=True):
                self.counts[before][after] += 1

    def __call__(self, transcript: tuple[int, ...], label: int | None) -> float:
        """Return the log-probability of a label after a transcript."""
        row = self.counts[transcript[-1] if transcript else 0]
        count = row[label or 0] + self.smoothing
        return math.log(count / (sum(row.values()) + self.smoothing * self.labels))


def prefix_beam_search(
    log_probabilities: Float[Tensor, "frame label"],
    beams: int = 16,
    language_model: LanguageModel | None = None,
    weight: float | int = 1.0,
    bonus: float | int = 0.0,
    candidates: int = 8,
) -> list[int]:
    """Return the most likely transcript, summing over all paths that collapse to it.

    Two probabilities are kept for each prefix of a transcript: that of the paths that
    end in a blank, and that of the paths that end in its last label. A repeated label
    lengthens the transcript only after a blank.

    Args:
        log_probabilities: A recognizer's output for one utterance, without padding.
        beams: The number of prefixes kept from one frame to the next (the beam width).
        language_model: Scores each new label, and the end; None for the
            recognizer alone.
        weight: The weight of the language model's log-probabilities.
        bonus: Added for each label, because a language model favours short transcripts.
        candidates: The number of most likely labels tried in each frame.

    Raises:
        ValueError: If `beams` or `candidates` is below 1.

    Source: Hannun et al., First-Pass Large Vocabulary Continuous Speech Recognition
        using Bi-Directional Recurrent DNNs, algorithm 1,
        https://arxiv.org/abs/1408.2873
    """
    if beams < 1 or candidates < 1:
        raise ValueError(
            f"beams and candidates must be at least 1, got {beams=}, {candidates=}."
        )
    candidates = min(candidates, log_probabilities.shape[1])
    # prefix: the log probability of paths that end in a blank, and in the last label
    paths = {(): (0.0, -math.inf)}
    grammar = {(): 0.0}  # prefix: what the language model and the bonus add
    for frame in log_probabilities:
        top = frame.topk(candidates)
        likely = dict(zip(top.indices.tolist(), top.values.tolist(), strict=True))
        likely[BLANK] = frame[BLANK].item()
        grown: dict = defaultdict(lambda: (-math.inf, -math.inf))
        for prefix, (in_blank, in_label) in paths.items():
            both = _add(in_blank, in_label)
            last = prefix[-1] if prefix else None
            for label, score in likely.items():
                if label == BLANK:
                    _gain(grown, prefix, both + score, -math.inf)
                    continue
                longer = (*prefix, label)
                if label == last:
                    _gain(grown, prefix, -math.inf, in_label + score)
                    _gain(grown, longer, -math.inf, in_blank + score)
                else:
                    _gain(grown, longer, -math.inf, both + score)
                if longer not in grammar:
                    said = language_model(prefix, label) if language_model else 0.0
                    grammar[longer] = grammar[prefix] + weight * said + bonus
        ranked = sorted(grown, key=lambda p: _add(*grown[p]) + grammar[p], reverse=True)
        paths = {prefix: grown[prefix] for prefix in ranked[:beams]}

    def total(prefix: tuple[int, ...]) -> float:
        ending = weight * language_model(prefix, None) if language_model else 0.0
        return _add(*paths[prefix]) + grammar[prefix] + ending

    return list(max(paths, key=total))


def _gain(
    grown: dict, prefix: tuple[int, ...], in_blank: float, in_label: float
) -> None:
    before = grown[prefix]
    grown[prefix] = _add(before[0], in_blank), _add(before[1], in_label)


def _add(a: float, b: float) -> float:
    """Return the logarithm of the sum of two probabilities, given as logarithms."""
    high, low = max(a, b), min(a, b)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))
