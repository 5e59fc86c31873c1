"""The text behind an association: how often words occur near two groups of words, and
in which sentences.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterable

from genai_tutorial.interpretability import split_into_words
from genai_tutorial.retrieval import split_sentences


def counts_near(
    texts: Iterable[str], group: Collection[str], window: int = 5
) -> Counter[str]:
    """Count for each word how often it occurs within `window` words of a word of a
    group.
    """
    if window < 1:
        raise ValueError(f"window must be at least 1, got {window}.")
    members, near = frozenset(group), Counter()
    for text in texts:
        words = split_into_words(text)
        for place, word in enumerate(words):
            if word in members:
                near.update(words[max(0, place - window) : place])
                near.update(words[place + 1 : place + 1 + window])
    return near


def count_log_ratios(
    texts: Collection[str],
    first: Collection[str],
    second: Collection[str],
    *,
    window: int = 5,
    min_count: int = 30,
) -> dict[str, float]:
    """Return for each word the log of how many times more often it occurs near the
    first group than near the second, with one added to both counts.

    Args:
        first: The first group, in lower case.
        window: The number of words on either side.
        min_count: Words that occur near the two groups less often in all, and the words
            of the groups, are left out.

    >>> texts = ["he runs", "he runs", "she sings", "she runs"]
    >>> ratios = count_log_ratios(texts, {"he"}, {"she"}, min_count=1)
    >>> {word: round(ratio, 2) for word, ratio in ratios.items()}
    {'runs': 0.41, 'sings': -0.69}
    """
    near_first, near_second = (
        counts_near(texts, group, window) for group in (first, second)
    )
    groups = {*first, *second}
    return {
        word: math.log((near_first[word] + 1) / (near_second[word] + 1))
        for word in sorted(near_first.keys() | near_second.keys())
        if word not in groups and near_first[word] + near_second[word] >= min_count
    }


def sentences_near(
    texts: Iterable[str], word: str, group: Collection[str], window: int = 5
) -> list[str]:
    """Return the sentences in which a word occurs within `window` words of a word of a
    group.

    >>> sentences_near(["She sang. The poem is hers. It rained."], "poem", {"hers"})
    ['The poem is hers.']
    """
    sentences = (
        text[start:end] for text in texts for start, end in split_sentences(text)
    )
    return [
        sentence
        for sentence in sentences
        if word in sentence.lower() and word in counts_near([sentence], group, window)
    ]
