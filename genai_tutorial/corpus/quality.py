"""Quality filters: rules that reject documents that are not prose."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

STOP_WORDS = frozenset({"the", "be", "to", "of", "and", "that", "have", "with"})
"""Hardly any English text of fifty words has fewer than two of these."""

_BULLETS = ("•", "-", "*", "‣", "–")
_ELLIPSES = ("…", "...")


@dataclass(frozen=True)
class QualityRules:
    """Limits for documents; the defaults are those of Gopher.

    Attributes:
        shortest_mean_word: Minimum mean word length in characters.
        longest_mean_word: Maximum mean word length in characters.
        most_symbols: Maximum number of `#` and `…` per word.
        most_bullets: Maximum fraction of lines that start like list items.
        most_ellipses: Maximum fraction of lines that end with `…`.
        least_alphabetic: Minimum fraction of words that contain a letter.
        fewest_stop_words: Minimum number of the eight `STOP_WORDS` that must occur.
        most_repeated_lines: Maximum fraction of lines that repeat an earlier one.
        most_frequent_pair: Maximum fraction of all characters that belong to the most
            frequent pair of words.

    Source: Rae et al., Scaling Language Models: Methods, Analysis & Insights from
        Training Gopher, appendix A.1.1, https://arxiv.org/abs/2112.11446
    """

    fewest_words: int = 50
    most_words: int = 100_000
    shortest_mean_word: float | int = 3
    longest_mean_word: float | int = 10
    most_symbols: float | int = 0.1
    most_bullets: float | int = 0.9
    most_ellipses: float | int = 0.3
    least_alphabetic: float | int = 0.8
    fewest_stop_words: int = 2
    most_repeated_lines: float | int = 0.3
    most_frequent_pair: float | int = 0.2


@dataclass(frozen=True)
class Filtered:
    """The result of a filter.

    Attributes:
        kept: Indices of the documents that are kept.
        rejected: Number of rejected documents per reason.
    """

    kept: tuple[int, ...]
    rejected: dict[str, int]


def reason_to_reject(text: str, rules: QualityRules | None = None) -> str | None:
    """Return the first rule that a document violates, in a few words, or None."""
    return next(_broken(text, rules or QualityRules()), None)


def filter_documents(
    texts: Iterable[str], rules: QualityRules | None = None
) -> Filtered:
    """Filter documents by quality rules.

    >>> filter_documents(["Buy now!", "Buy soon!"])
    Filtered(kept=(), rejected={'too few words': 2})
    """
    reasons = [reason_to_reject(text, rules) for text in texts]
    kept = tuple(place for place, reason in enumerate(reasons) if reason is None)
    return Filtered(
        kept, dict(Counter(reason for reason in reasons if reason is not None))
    )


def _broken(text: str, rules: QualityRules) -> Iterator[str]:
    words = text.split()
    # fractions are undefined without words
    if len(words) < max(rules.fewest_words, 1):
        yield "too few words"
        return
    if len(words) > rules.most_words:
        yield "too many words"
    if (
        not rules.shortest_mean_word
        <= sum(map(len, words)) / len(words)
        <= rules.longest_mean_word
    ):
        yield "words of a strange length"
    if sum(map(text.count, ("#", *_ELLIPSES))) > rules.most_symbols * len(words):
        yield "too many symbols"
    lines = [line for line in map(str.strip, text.split("\n")) if line]
    if sum(line.startswith(_BULLETS) for line in lines) > rules.most_bullets * len(
        lines
    ):
        yield "nearly all lines are items of a list"
    if sum(line.endswith(_ELLIPSES) for line in lines) > rules.most_ellipses * len(
        lines
    ):
        yield "too many lines break off"
    if sum(
        any(map(str.isalpha, word)) for word in words
    ) < rules.least_alphabetic * len(words):
        yield "too few words with letters"
    if len(STOP_WORDS.intersection(map(str.lower, words))) < rules.fewest_stop_words:
        yield "no English sentences"
    if len(lines) - len(set(lines)) > rules.most_repeated_lines * len(lines):
        yield "repeated lines"
    pair, count = (
        Counter(pairwise(words)).most_common(1)[0] if len(words) > 1 else (("", ""), 0)
    )
    if count > 1 and count * sum(map(len, pair)) > rules.most_frequent_pair * sum(
        map(len, words)
    ):
        yield "one pair of words again and again"
